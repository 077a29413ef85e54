package collection

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/filter"
)

// maxPayloadDepth bounds how deep objects and arrays may be nested.
const maxPayloadDepth = 64

var errNotUTF8 = errors.New("a string is not UTF-8")

// encodePayload returns p as JSON, nil for a nil payload. What JSON cannot hold
// (a NaN, a channel, a string that is not UTF-8, too deep a nesting) is refused.
func encodePayload(p Payload, limit int) ([]byte, error) {
	if p == nil {
		return nil, nil
	}
	data, ok := encodePlain(p, limit)
	if !ok {
		if size := leastSize(map[string]any(p), limit, 0); size > limit {
			return nil, fmt.Errorf("%w: payload of more than %d bytes as JSON", ErrTooLarge, limit)
		}
		var err error
		if data, err = encodeAny(p); err != nil {
			return nil, fmt.Errorf("%w: payload: %w", ErrInvalidPoint, err)
		}
	}
	if len(data) > limit {
		return nil, fmt.Errorf("%w: payload of %d bytes as JSON: at most %d are allowed", ErrTooLarge, len(data), limit)
	}
	return data, nil
}

// encodeAny takes whatever encoding/json takes, checked first, and afterwards what
// values made of themselves: a name twice, or too deep a nesting through several.
func encodeAny(p Payload) ([]byte, error) {
	if err := checkValue(reflect.ValueOf(map[string]any(p)), 0); err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]any(p)); err != nil {
		return nil, err
	}
	data := bytes.TrimSuffix(buf.Bytes(), []byte{'\n'})
	return data, filter.CheckNested(data, maxPayloadDepth)
}

// leastSize is no more than the bytes of a payload as JSON, found without encoding
// it; it need not be right beyond limit.
func leastSize(v any, limit, depth int) int {
	n := 0
	if depth > maxPayloadDepth {
		return n // refused for that
	}
	switch v := v.(type) {
	case string:
		n = len(v) + 2
	case map[string]any:
		for k, e := range v {
			if n += len(k) + 4; n <= limit {
				n += leastSize(e, limit-n, depth+1)
			}
			if n > limit {
				return n
			}
		}
	case []any:
		for _, e := range v {
			if n += 1 + leastSize(e, limit-n, depth+1); n > limit {
				return n
			}
		}
	}
	return n
}

// checkValue refuses what encoding/json would alter or could not end on. Values
// whose types marshal themselves are looked at as they do.
func checkValue(v reflect.Value, depth int) error {
	if depth > maxPayloadDepth {
		return fmt.Errorf("nested deeper than %d", maxPayloadDepth)
	}
	if v.IsValid() && v.CanInterface() {
		if n, ok := v.Interface().(json.Number); ok {
			return checkNumber(n)
		}
		if m, ok := v.Interface().(json.Marshaler); ok && (v.Kind() != reflect.Pointer || !v.IsNil()) {
			return checkMarshaler(m)
		}
		if m, ok := v.Interface().(encoding.TextMarshaler); ok && (v.Kind() != reflect.Pointer || !v.IsNil()) {
			return checkText(m)
		}
	}
	switch v.Kind() {
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return errNotUTF8
		}
	case reflect.Interface:
		return checkValue(v.Elem(), depth)
	case reflect.Pointer:
		return checkValue(v.Elem(), depth+1)
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if err := checkEntry(it, depth); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); !f.IsExported() && !f.Anonymous || f.Tag.Get("json") == "-" {
				continue
			}
			if err := checkValue(v.Field(i), depth+1); err != nil {
				return err
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := checkValue(v.Index(i), depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkText looks at the string that a value makes of itself.
func checkText(m encoding.TextMarshaler) error {
	text, err := m.MarshalText()
	if err == nil && !utf8.Valid(text) {
		err = errNotUTF8
	}
	return err
}

// checkMarshaler looks at what a value makes of itself.
func checkMarshaler(m json.Marshaler) error {
	data, err := m.MarshalJSON()
	if err != nil {
		return err
	}
	if !utf8.Valid(data) {
		return errNotUTF8
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return err
	}
	return checkValue(reflect.ValueOf(v), 0)
}

// checkNumber refuses a number that no float64 and no integer holds.
func checkNumber(n json.Number) error {
	if _, err := n.Float64(); n != "" && err != nil {
		return fmt.Errorf("a number is out of range: %w", err)
	}
	return nil
}

func checkEntry(it *reflect.MapIter, depth int) error {
	if err := checkValue(it.Key(), depth+1); err != nil {
		return err
	}
	return checkValue(it.Value(), depth+1)
}

// decodePayload is the inverse of encodePayload.
func decodePayload(data []byte) (Payload, error) {
	if data == nil {
		return nil, nil
	}
	if p, ok := decodePlain(data); ok {
		return p, nil
	}
	return decodeAny(data)
}

// decodeAny takes whatever encoding/json takes.
func decodeAny(data []byte) (Payload, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("stored payload: %w: %w", codec.ErrCorrupt, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("stored payload: %w: more than one value", codec.ErrCorrupt)
	}
	for k, v := range m {
		m[k] = plainNumbers(v)
	}
	return m, nil
}

// plainNumbers replaces each json.Number by int64, uint64 or float64.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		return plainNumber(string(v))
	case map[string]any:
		for k, e := range v {
			v[k] = plainNumbers(e)
		}
	case []any:
		for i, e := range v {
			v[i] = plainNumbers(e)
		}
	}
	return v
}

func plainNumber(s string) any {
	if !strings.ContainsAny(s, ".eE") {
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return i
		}
		if u, err := strconv.ParseUint(s, 10, 64); err == nil {
			return u
		}
	}
	f, _ := strconv.ParseFloat(s, 64)
	return f
}
