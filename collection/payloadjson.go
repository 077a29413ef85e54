package collection

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// plainDepth is how deep a plainWriter goes. It is far below maxPayloadDepth.
const plainDepth = 16

// encodePlain returns p as encoding/json would write it, in one allocation, if it
// is made of what most payloads are made of. Not ok: something else is in it, which
// may be wrong, or it is about to be longer than limit; who has time shall look.
func encodePlain(p Payload, limit int) (data []byte, ok bool) {
	w := plainWriters.Get().(*plainWriter)
	w.limit = limit
	if w.object(p, 0) {
		data, ok = bytes.Clone(w.buf), true
	}
	if w.rest() {
		plainWriters.Put(w)
	}
	return data, ok
}

// plainWriter writes JSON. Its methods give up, which is false, before they have
// written much more than limit.
type plainWriter struct {
	limit   int
	buf     []byte
	members []member // of the objects that are being written, the innermost last
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
	// keptPlain bounds the bytes and members that are kept for the next payload.
	keptPlain = 4096
)

// rest forgets what was written and reports whether w is worth keeping.
func (w *plainWriter) rest() bool {
	clear(w.members[:cap(w.members)])
	w.buf, w.members = w.buf[:0], w.members[:0]
	return cap(w.buf) <= keptPlain && cap(w.members) <= keptPlain/leastMember
}

func (w *plainWriter) object(m map[string]any, depth int) bool {
	if depth > plainDepth || len(m) > w.limit/leastMember {
		return false
	}
	from := len(w.members)
	for k, v := range m {
		w.members = append(w.members, member{k, v})
	}
	to := len(w.members)
	slices.SortFunc(w.members[from:], func(a, b member) int { return strings.Compare(a.name, b.name) })
	w.buf = append(w.buf, '{')
	for i := from; i < to; i++ {
		if i > from {
			w.buf = append(w.buf, ',')
		}
		if !w.text(w.members[i].name) {
			return false
		}
		w.buf = append(w.buf, ':')
		if !w.plain(w.members[i].value, depth+1) {
			return false
		}
	}
	w.members = w.members[:from]
	w.buf = append(w.buf, '}')
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
	if math.IsNaN(f) || math.IsInf(f, 0) || size != 0 && (size < 1e-6 || size >= 1e21) {
		return false
	}
	w.buf = strconv.AppendFloat(w.buf, f, 'f', -1, 64)
	return true
}

// text writes a string that needs no escapes but the usual ones.
func (w *plainWriter) text(s string) bool {
	if len(s) > w.limit-len(w.buf) {
		return false
	}
	dst := append(w.buf, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 || r == '\u2028' || r == '\u2029' {
				return false
			}
			i += n
			continue
		case c == '"', c == '\\':
			dst = append(append(dst, s[from:i]...), '\\', c)
			from = i + 1
		case c == '\n':
			dst = append(append(dst, s[from:i]...), '\\', 'n')
			from = i + 1
		case c == '\t':
			dst = append(append(dst, s[from:i]...), '\\', 't')
			from = i + 1
		case c < ' ':
			return false
		}
		i++
	}
	w.buf = append(append(dst, s[from:]...), '"')
	return true
}
