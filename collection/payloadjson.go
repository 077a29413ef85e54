package collection

import (
	"bytes"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// plainDepth is how deep a plainWriter goes. It is far below maxPayloadDepth.
const plainDepth = 16

// encodePlain returns p as encoding/json would write it, in one allocation at most, if
// it is made of what most payloads are made of. Not ok: something else is in it, which
// may be wrong, or it is about to be longer than limit; who has time shall look.
func encodePlain(p Payload, limit int) (data []byte, ok bool) {
	w := plainWriters.Get().(*plainWriter)
	w.limit = limit
	if w.object(p, 0) {
		data, ok = w.written(), true
	}
	w.rest()
	plainWriters.Put(w)
	return data, ok
}

// plainWriter writes JSON. Its methods give up, which is false, before they have
// written much more than limit.
type plainWriter struct {
	limit   int
	buf     []byte
	space   space                 // of small payloads that were written, and for more
	members []member              // of the objects that are being written, the innermost last
	names   [namedDepth]nameCache // of the objects of each depth
}

var plainWriters = sync.Pool{New: func() any { return new(plainWriter) }}

// member is a name of an object with its value.
type member struct {
	name  string
	value any
}

const (
	// leastMember is what a member of an object takes: "":0 and a comma or a brace.
	leastMember = 5
	// keptPlain bounds the bytes and members whose memory is kept for the next payload.
	keptPlain = 4096
	// spaceBlock is what small payloads share, of which at least eight are in it.
	spaceBlock = 4096
	// namedDepth is how deep names of objects are kept for the next payload.
	namedDepth = 3
)

// rest forgets what was written, and gives back what a large payload took.
func (w *plainWriter) rest() {
	clear(w.members) // of objects that were given up
	w.buf, w.members = w.buf[:0], w.members[:0]
	if cap(w.buf) > keptPlain {
		w.buf = nil
	}
	if cap(w.members) > keptPlain/leastMember {
		w.members = nil
	}
}

// written returns a copy of what was written. Payloads that came together mostly go
// together, with a checkpoint, so that small ones share an allocation.
func (w *plainWriter) written() []byte {
	if len(w.buf) > spaceBlock/8 {
		return bytes.Clone(w.buf)
	}
	return w.space.clone(w.buf, spaceBlock)
}

func (w *plainWriter) object(m map[string]any, depth int) bool {
	if depth > plainDepth || len(m) > w.limit/leastMember {
		return false
	}
	if len(m) == 0 {
		w.buf = append(w.buf, "{}"...)
		return true
	}
	if depth >= namedDepth {
		return w.sorted(m, depth, nil)
	}
	names := &w.names[depth]
	if !names.worthwhile(len(m)) {
		return w.sorted(m, depth, nil)
	}
	start := len(w.buf)
	found, ok := w.known(m, depth, names.written)
	if !ok {
		return false
	}
	if found == len(m) {
		names.hit()
		return true
	}
	w.buf = w.buf[:start]
	names.miss()
	if !names.hasRoom(len(m) - min(found, len(names.written))) { // none is found in one that begins anew
		names = nil
	}
	return w.sorted(m, depth, names)
}

// known writes an object as if all its members had one of the names, which are in
// order and as they are written, and returns how many have.
func (w *plainWriter) known(m map[string]any, depth int, names []string) (found int, ok bool) {
	start := len(w.buf)
	for _, name := range names {
		v, ok := m[bare(name)]
		if !ok {
			continue
		}
		w.buf = append(w.buf, name...)
		if !w.plain(v, depth+1) {
			return found, false
		}
		if found++; found == len(m) {
			break
		}
	}
	w.buf = append(w.buf, '}')
	w.buf[start] = '{' // for a comma
	return found, true
}

// sorted writes an object with at least one member, and has learn keep the names.
func (w *plainWriter) sorted(m map[string]any, depth int, learn *nameCache) bool {
	start, from := len(w.buf), len(w.members)
	for k, v := range m {
		w.members = append(w.members, member{k, v})
	}
	to := len(w.members)
	slices.SortFunc(w.members[from:], func(a, b member) int { return strings.Compare(a.name, b.name) })
	for i := from; i < to; i++ {
		at := len(w.buf)
		w.buf = append(w.buf, ',')
		if !w.text(w.members[i].name) {
			return false
		}
		w.buf = append(w.buf, ':')
		if learn != nil {
			learn.add(w.members[i].name, w.buf[at:])
		}
		if !w.plain(w.members[i].value, depth+1) {
			return false
		}
	}
	w.buf = append(w.buf, '}')
	w.buf[start] = '{' // for a comma
	clear(w.members[from:])
	w.members = w.members[:from]
	return true
}

func (w *plainWriter) plain(v any, depth int) bool {
	if len(w.buf) > w.limit {
		return false
	}
	switch v := v.(type) {
	case nil:
		w.buf = append(w.buf, "null"...)
	case string:
		return w.text(v)
	case bool:
		w.buf = strconv.AppendBool(w.buf, v)
	case int:
		w.buf = strconv.AppendInt(w.buf, int64(v), 10)
	case int64:
		w.buf = strconv.AppendInt(w.buf, v, 10)
	case int32:
		w.buf = strconv.AppendInt(w.buf, int64(v), 10)
	case uint64:
		w.buf = strconv.AppendUint(w.buf, v, 10)
	case uint32:
		w.buf = strconv.AppendUint(w.buf, uint64(v), 10)
	case float64:
		return w.float(v)
	case map[string]any:
		if v != nil {
			return w.object(v, depth)
		}
		w.buf = append(w.buf, "null"...)
	case []any:
		return w.array(v, depth)
	default:
		return false
	}
	return true
}

func (w *plainWriter) array(vs []any, depth int) bool {
	if depth > plainDepth || vs == nil {
		return false
	}
	w.buf = append(w.buf, '[')
	for i, v := range vs {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		if !w.plain(v, depth+1) {
			return false
		}
	}
	w.buf = append(w.buf, ']')
	return true
}

// float writes a float as JavaScript does, which is what encoding/json does.
func (w *plainWriter) float(f float64) bool {
	size := math.Abs(f)
	if math.IsNaN(f) || size != 0 && size < 1e-6 || size >= 1e21 {
		return false
	}
	// A float that is the nearest to a decimal of at most 15 digits is the nearest to
	// no other, and that is its shortest form. A quotient is the nearest.
	if n := uint64(size*1000 + 0.5); size < 1e12 && float64(n)/1000 == size {
		if math.Signbit(f) {
			w.buf = append(w.buf, '-')
		}
		w.thousandths(n)
		return true
	}
	w.buf = strconv.AppendFloat(w.buf, f, 'f', -1, 64)
	return true
}

// thousandths writes n/1000 without needless digits.
func (w *plainWriter) thousandths(n uint64) {
	w.buf = strconv.AppendUint(w.buf, n/1000, 10)
	if n %= 1000; n == 0 {
		return
	}
	w.buf = append(w.buf, '.', byte('0'+n/100), byte('0'+n/10%10), byte('0'+n%10))
	for w.buf[len(w.buf)-1] == '0' {
		w.buf = w.buf[:len(w.buf)-1]
	}
}

// text writes a string that needs no escapes but the usual ones.
func (w *plainWriter) text(s string) bool {
	if len(s) > w.limit-len(w.buf) {
		return false
	}
	i := plainRun(s, topBits)
	if i < len(s) && !wellFormed(s[i:]) {
		return false
	}
	dst := append(w.buf, '"')
	from := 0
	for ; i < len(s); i += plainRun(s[i:], 0) {
		c := s[i]
		switch {
		case c >= utf8.RuneSelf:
			continue
		case c == '"', c == '\\':
		case c == '\n':
			c = 'n'
		case c == '\t':
			c = 't'
		default:
			return false
		}
		dst = append(append(dst, s[from:i]...), '\\', c)
		i++
		from = i
	}
	w.buf = append(append(dst, s[from:]...), '"')
	return true
}

// wellFormed reports whether s is UTF-8 without what encoding/json escapes in it.
func wellFormed(s string) bool {
	return utf8.ValidString(s) && !strings.Contains(s, "\u2028") && !strings.Contains(s, "\u2029")
}

// topBits has the top bit of each byte of a word.
const topBits = 0x8080808080808080

// plainRun returns how many bytes s begins with that need no escape. Stop is topBits
// if bytes beyond ASCII end the run, 0 if they do not.
func plainRun(s string, stop uint64) int {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		if at := firstOdd(s[i:], stop); at < 8 {
			return i + at
		}
	}
	if i > 0 && i < len(s) {
		last := len(s) - 8 // some of it again
		return last + firstOdd(s[last:], stop)
	}
	for i < len(s) && s[i] >= ' ' && s[i] != '"' && s[i] != '\\' && (s[i] < utf8.RuneSelf || stop == 0) {
		i++
	}
	return i
}

// firstOdd returns which of the first eight bytes of s ends the run, 8 if none does.
func firstOdd(s string, stop uint64) int {
	const ones = topBits >> 7
	x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	// Of a byte of ASCII the top bit is set if it is less than a space, or one of the
	// two. A borrow spoils only what comes after the first.
	odd := (x - ones*' ') | (x ^ ones*'"' - ones) | (x ^ ones*'\\' - ones)
	return bits.TrailingZeros64(odd&^x&topBits|x&stop) / 8
}
