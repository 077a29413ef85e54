package collection

import "unicode/utf8"

// decodePlain is decodePayload for what most stored payloads are: compact, as the
// encoder writes it, and with the usual escapes only. Not ok: something else is in
// it, which may be damage; who has time shall look.
func decodePlain(data []byte) (Payload, bool) {
	r := plainReader{b: data}
	if r.peek() != '{' {
		return nil, false
	}
	m, ok := r.object(0)
	return m, ok && r.at == len(data)
}

// plainReader is a place in a stored payload.
type plainReader struct {
	b  []byte
	at int
}

// peek returns the next byte, 0 at the end, which no value begins with.
func (r *plainReader) peek() byte {
	if r.at < len(r.b) {
		return r.b[r.at]
	}
	return 0
}

// skip steps over c if it is next.
func (r *plainReader) skip(c byte) bool {
	if r.peek() != c {
		return false
	}
	r.at++
	return true
}

func (r *plainReader) word(w string) bool {
	if len(r.b)-r.at < len(w) || string(r.b[r.at:r.at+len(w)]) != w {
		return false
	}
	r.at += len(w)
	return true
}

func (r *plainReader) value(depth int) (v any, ok bool) {
	switch r.peek() {
	case '"':
		return r.text()
	case '{':
		m, ok := r.object(depth)
		return m, ok
	case '[':
		return r.array(depth)
	case 't':
		return true, r.word("true")
	case 'f':
		return false, r.word("false")
	case 'n':
		return nil, r.word("null")
	}
	return r.number()
}

func (r *plainReader) object(depth int) (m map[string]any, ok bool) {
	if r.at++; depth > plainDepth {
		return nil, false
	}
	m = map[string]any{}
	if r.skip('}') {
		return m, true
	}
	for {
		if r.peek() != '"' {
			return nil, false
		}
		name, ok := r.text()
		if !ok || !r.skip(':') {
			return nil, false
		}
		if m[name], ok = r.value(depth + 1); !ok {
			return nil, false
		}
		if r.skip('}') {
			return m, true
		}
		if !r.skip(',') {
			return nil, false
		}
	}
}

func (r *plainReader) array(depth int) (vs []any, ok bool) {
	if r.at++; depth > plainDepth {
		return nil, false
	}
	vs = []any{}
	if r.skip(']') {
		return vs, true
	}
	for {
		v, ok := r.value(depth + 1)
		if !ok {
			return nil, false
		}
		vs = append(vs, v)
		if r.skip(']') {
			return vs, true
		}
		if !r.skip(',') {
			return nil, false
		}
	}
}

// text reads a string, whose quote is next.
func (r *plainReader) text() (string, bool) {
	r.at++
	from, high := r.at, false
	for ; r.at < len(r.b); r.at++ {
		switch c := r.b[r.at]; {
		case c == '"':
			s := r.b[from:r.at]
			r.at++
			return string(s), !high || utf8.Valid(s)
		case c == '\\':
			return r.escaped(from)
		case c < ' ':
			return "", false
		case c >= utf8.RuneSelf:
			high = true
		}
	}
	return "", false
}

// escaped is text from the first escape on.
func (r *plainReader) escaped(from int) (string, bool) {
	s := append(make([]byte, 0, 2*(r.at-from)+16), r.b[from:r.at]...)
	for ; r.at < len(r.b); r.at++ {
		c := r.b[r.at]
		switch {
		case c == '"':
			r.at++
			return string(s), utf8.Valid(s)
		case c < ' ':
			return "", false
		case c == '\\':
			r.at++
			switch c = r.peek(); c {
			case '"', '\\':
			case 'n':
				c = '\n'
			case 't':
				c = '\t'
			default:
				return "", false
			}
		}
		s = append(s, c)
	}
	return "", false
}

// number reads a number as JSON has it.
func (r *plainReader) number() (any, bool) {
	from := r.at
	r.skip('-')
	if !r.skip('0') && !r.digits() {
		return nil, false
	}
	if r.skip('.') && !r.digits() {
		return nil, false
	}
	if c := r.peek(); c == 'e' || c == 'E' {
		return nil, false // rare, and may be out of range
	}
	s := string(r.b[from:r.at])
	return plainNumber(s), len(s) < 300 // so no float64 is too small for it
}

// digits steps over digits, and reports whether there is one.
func (r *plainReader) digits() bool {
	from := r.at
	for c := r.peek(); c >= '0' && c <= '9'; c = r.peek() {
		r.at++
	}
	return r.at > from
}
