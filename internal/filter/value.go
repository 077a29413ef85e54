package filter

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"reflect"
	"strconv"
	"strings"
)

// Kind is the type of a Value.
type Kind uint8

// The kinds of values that can be compared. Other is what cannot: an array or an
// object.
const (
	Other Kind = iota
	Null
	Bool
	Num
	String
)

// Number is a number by which int64, uint64 and float64 are ordered and compared
// exactly: the largest float64 that is not above it, and what is missing.
//
//	hi: bits of the float64, such that their order is that of the floats
//	lo: the number minus that float64, which is below 2048
type Number struct {
	Hi uint64
	Lo uint16
}

// Compare returns -1, 0 or 1.
func (n Number) Compare(o Number) int {
	switch {
	case n.Hi < o.Hi || n.Hi == o.Hi && n.Lo < o.Lo:
		return -1
	case n == o:
		return 0
	}
	return 1
}

// Float returns the number of a float64 that is not NaN.
func Float(f float64) Number {
	if f == 0 {
		f = 0 // not -0
	}
	b := math.Float64bits(f)
	return Number{Hi: b ^ (uint64(int64(b)>>63) | 1<<63)}
}

// Uint returns the number of a uint64.
func Uint(u uint64) Number {
	step := spacing(u)
	n := Float(float64(u &^ (step - 1)))
	n.Lo = uint16(u & (step - 1))
	return n
}

// Int returns the number of an int64.
func Int(i int64) Number {
	if i >= 0 {
		return Uint(uint64(i))
	}
	u := -uint64(i)
	step := spacing(u)
	rest := u & (step - 1)
	if rest == 0 {
		return Float(-float64(u))
	}
	n := Float(-(float64(u&^(step-1)) + float64(step)))
	n.Lo = uint16(step - rest)
	return n
}

// spacing returns by how much float64s of the size of u differ, at least 1.
func spacing(u uint64) uint64 {
	const mantissa = 53
	return 1 << max(0, bits.Len64(u)-mantissa)
}

// Value is what a field is compared with.
type Value struct {
	Kind Kind
	Num  Number
	Str  string
	Bool bool
}

// Compare orders values by kind, then among themselves.
func (v Value) Compare(o Value) int {
	if v.Kind != o.Kind {
		return int(v.Kind) - int(o.Kind)
	}
	switch v.Kind {
	case Num:
		return v.Num.Compare(o.Num)
	case String:
		return strings.Compare(v.Str, o.Str)
	case Bool:
		return boolInt(v.Bool) - boolInt(o.Bool)
	}
	return 0
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// ParseNumber returns the number that a JSON literal is taken for: int64 and, above
// its range, uint64 where there is neither point nor exponent; else float64.
func ParseNumber(s string) (Number, error) {
	if !strings.ContainsAny(s, ".eE") {
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return Int(i), nil
		}
		if u, err := strconv.ParseUint(s, 10, 64); err == nil {
			return Uint(u), nil
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return Number{}, errors.New("a number is out of range")
	}
	return Float(f), nil
}

// valueOf returns what v would be in a payload.
func valueOf(v any) (Value, error) {
	switch v := v.(type) {
	case nil:
		return Value{Kind: Null}, nil
	case json.Number:
		return literalValue(string(v))
	case json.Marshaler, encoding.TextMarshaler:
		return marshalled(v)
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Bool:
		return Value{Kind: Bool, Bool: r.Bool()}, nil
	case reflect.String:
		return Value{Kind: String, Str: r.String()}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return Value{Kind: Num, Num: Int(r.Int())}, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return Value{Kind: Num, Num: Uint(r.Uint())}, nil
	case reflect.Float32, reflect.Float64:
		return floatValue(r)
	case reflect.Pointer:
		if r.IsNil() {
			return Value{Kind: Null}, nil
		}
		if e := r.Elem(); e.Kind() != reflect.Pointer && e.CanInterface() {
			return valueOf(e.Interface())
		}
	}
	return Value{}, fmt.Errorf("a %T cannot be compared with: give a string, a number, a bool or nil", v)
}

// floatValue returns the value of a float. A float32 is written to JSON with as
// many digits as it needs, and read back as a float64.
func floatValue(r reflect.Value) (Value, error) {
	f := r.Float()
	if math.IsNaN(f) {
		return Value{}, errors.New("NaN compares with nothing")
	}
	if r.Kind() == reflect.Float32 && !math.IsInf(f, 0) {
		f, _ = strconv.ParseFloat(strconv.FormatFloat(f, 'g', -1, 32), 64)
	}
	return Value{Kind: Num, Num: Float(f)}, nil
}

// literalValue returns the value of a number as it stands in JSON. The empty one is
// written there as 0.
func literalValue(s string) (Value, error) {
	if s == "" {
		s = "0"
	}
	if c := s[0]; c != '-' && (c < '0' || c > '9') || s != strings.TrimSpace(s) || !json.Valid([]byte(s)) {
		return Value{}, errors.New("a json.Number is none that JSON has")
	}
	n, err := ParseNumber(s)
	return Value{Kind: Num, Num: n}, err
}

// marshalled returns the value of what writes itself, as a time does.
func marshalled(v any) (Value, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return Value{}, err
	}
	s := parseScalar(data)
	if s.kind == Other {
		return Value{}, fmt.Errorf("a %T cannot be compared with: it is no string, number, bool or null in JSON", v)
	}
	return s.value(), nil
}
