package filter

import (
	"encoding/json"
	"fmt"

	"github.com/tarndb/tarn/internal/codec"
)

// span is a part of the payload's bytes; the zero span is none, since a payload
// begins with a brace.
type span struct{ from, to int }

func (s span) there() bool { return s.to > 0 }

func damaged(at int) error {
	return fmt.Errorf("stored payload: %w: offset %d is no JSON", codec.ErrCorrupt, at)
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString returns the place after the string whose quote is at i, or -1.
func skipString(b []byte, i int) (end int, escaped bool) {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i + 1, escaped
		case '\\':
			escaped = true
			i++
		}
	}
	return -1, escaped
}

// skipValue returns the place after the value at i, or -1. It does not recurse: how
// deep the value is nested does not matter.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		end, _ := skipString(b, i)
		return end
	case '{', '[':
		return skipNested(b, i)
	}
	start := i
	for i < len(b) && !ends(b[i]) {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// ends reports whether a character ends a number or a word.
func ends(c byte) bool {
	switch c {
	case ',', '}', ']', ' ', '\n', '\t', '\r', ':', '{', '[', '"':
		return true
	}
	return false
}

func skipNested(b []byte, i int) int {
	for depth := 0; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"':
			end, _ := skipString(b, i)
			if end < 0 {
				return -1
			}
			i = end - 1
		}
	}
	return -1
}

// members calls fn with each name and value of the object at i, until it returns
// false. The name is without its quotes, and unescaped.
func members(b []byte, i int, fn func(name []byte, value span) bool) error {
	if i = skipSpace(b, i); i >= len(b) || b[i] != '{' {
		return damaged(i)
	}
	if i = skipSpace(b, i+1); i < len(b) && b[i] == '}' {
		return nil
	}
	for {
		if i >= len(b) || b[i] != '"' {
			return damaged(i)
		}
		end, escaped := skipString(b, i)
		if end < 0 {
			return damaged(i)
		}
		name := b[i+1 : end-1]
		if escaped {
			name = unescape(b[i:end])
		}
		if i = skipSpace(b, end); i >= len(b) || b[i] != ':' {
			return damaged(i)
		}
		from := skipSpace(b, i+1)
		if i = skipValue(b, from); i < 0 {
			return damaged(from)
		}
		if !fn(name, span{from, i}) {
			return nil
		}
		if i = skipSpace(b, i); i < len(b) && b[i] == '}' {
			return nil
		}
		if i >= len(b) || b[i] != ',' {
			return damaged(i)
		}
		i = skipSpace(b, i+1)
	}
}

// elements calls fn with each element of the array that is b, until it returns
// false.
func elements(b []byte, fn func(b []byte) bool) error {
	i := skipSpace(b, 1)
	if i < len(b) && b[i] == ']' {
		return nil
	}
	for {
		end := skipValue(b, i)
		if end < 0 {
			return damaged(i)
		}
		if !fn(b[i:end]) {
			return nil
		}
		if i = skipSpace(b, end); i < len(b) && b[i] == ']' {
			return nil
		}
		if i >= len(b) || b[i] != ',' {
			return damaged(i)
		}
		i = skipSpace(b, i+1)
	}
}

// unescape decodes a string with its quotes.
func unescape(b []byte) []byte {
	var s string
	if json.Unmarshal(b, &s) != nil {
		return b[1 : len(b)-1]
	}
	return []byte(s)
}

// scalar is a decoded value; str is part of the payload where it can be.
type scalar struct {
	kind Kind
	num  Number
	str  []byte
	bool bool
}

// parseScalar decodes the JSON value that is b, Other if it is none that can be
// compared.
func parseScalar(b []byte) scalar {
	if len(b) == 0 {
		return scalar{}
	}
	switch b[0] {
	case '"':
		end, escaped := skipString(b, 0)
		if end != len(b) {
			return scalar{}
		}
		if escaped {
			return scalar{kind: String, str: unescape(b)}
		}
		return scalar{kind: String, str: b[1 : end-1]}
	case 't', 'f':
		if s := string(b); s == "true" || s == "false" {
			return scalar{kind: Bool, bool: b[0] == 't'}
		}
	case 'n':
		if string(b) == "null" {
			return scalar{kind: Null}
		}
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if n, ok := smallInt(b); ok {
			return scalar{kind: Num, num: n}
		}
		if n, err := ParseNumber(string(b)); err == nil {
			return scalar{kind: Num, num: n}
		}
	}
	return scalar{}
}

// smallInt decodes a few digits, which most numbers are.
func smallInt(b []byte) (Number, bool) {
	if len(b) > 15 {
		return Number{}, false
	}
	u := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return Number{}, false
		}
		u = u*10 + int(c-'0')
	}
	return Float(float64(u)), true
}

func (s scalar) value() Value {
	return Value{Kind: s.kind, Num: s.num, Str: string(s.str), Bool: s.bool}
}

// compare is Value.Compare without a copy of the string.
func (s scalar) compare(v Value) int {
	if s.kind != v.Kind {
		return int(s.kind) - int(v.Kind)
	}
	switch s.kind {
	case Num:
		return s.num.Compare(v.Num)
	case String:
		switch {
		case string(s.str) < v.Str:
			return -1
		case string(s.str) == v.Str:
			return 0
		}
		return 1
	case Bool:
		return boolInt(s.bool) - boolInt(v.Bool)
	}
	return 0
}
