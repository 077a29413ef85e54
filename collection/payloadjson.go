package collection

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// plainDepth is how deep appendPlain goes. It is far below maxPayloadDepth.
const plainDepth = 16

// encodePlain returns p as encoding/json would write it, in two allocations, if it
// is made of what most payloads are made of. Not ok: something else is in it, which
// may be wrong; who has time shall look.
func encodePlain(p Payload) (data []byte, ok bool) {
	var space [512]byte
	data, ok = appendObject(space[:0], p, 0)
	if !ok {
		return nil, false
	}
	return bytes.Clone(data), true
}

func appendObject(dst []byte, m map[string]any, depth int) (_ []byte, ok bool) {
	if depth > plainDepth {
		return dst, false
	}
	var few [24]string
	keys := few[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	dst = append(dst, '{')
	for i, k := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, ok = appendString(dst, k); !ok {
			return dst, false
		}
		dst = append(dst, ':')
		if dst, ok = appendPlain(dst, m[k], depth+1); !ok {
			return dst, false
		}
	}
	return append(dst, '}'), true
}

func appendPlain(dst []byte, v any, depth int) (_ []byte, ok bool) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), true
	case string:
		return appendString(dst, v)
	case bool:
		return strconv.AppendBool(dst, v), true
	case int:
		return strconv.AppendInt(dst, int64(v), 10), true
	case int64:
		return strconv.AppendInt(dst, v, 10), true
	case int32:
		return strconv.AppendInt(dst, int64(v), 10), true
	case uint64:
		return strconv.AppendUint(dst, v, 10), true
	case uint32:
		return strconv.AppendUint(dst, uint64(v), 10), true
	case float64:
		return appendFloat(dst, v)
	case map[string]any:
		if v != nil {
			return appendObject(dst, v, depth)
		}
		return append(dst, "null"...), true
	case []any:
		return appendArray(dst, v, depth)
	}
	return dst, false
}

func appendArray(dst []byte, vs []any, depth int) (_ []byte, ok bool) {
	if depth > plainDepth || vs == nil {
		return dst, false
	}
	dst = append(dst, '[')
	for i, v := range vs {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, ok = appendPlain(dst, v, depth+1); !ok {
			return dst, false
		}
	}
	return append(dst, ']'), true
}

// appendFloat writes a float as JavaScript does, which is what encoding/json does.
func appendFloat(dst []byte, f float64) ([]byte, bool) {
	size := math.Abs(f)
	if math.IsNaN(f) || math.IsInf(f, 0) || size != 0 && (size < 1e-6 || size >= 1e21) {
		return dst, false
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64), true
}

// appendString writes a string that needs no escapes but the usual ones.
func appendString(dst []byte, s string) ([]byte, bool) {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 || r == '\u2028' || r == '\u2029' {
				return dst, false
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
			return dst, false
		}
		i++
	}
	return append(append(dst, s[from:]...), '"'), true
}
