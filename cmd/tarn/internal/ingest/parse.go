package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tarndb/tarn"
)

// object is a line as it is written.
type object struct {
	ID      *uint64      `json:"id"`
	Key     *string      `json:"key"`
	Vector  []float32    `json:"vector"`
	Payload tarn.Payload `json:"payload"`
	Delete  bool         `json:"delete"`
}

// parse turns a line into an operation.
func parse(line []byte, dim int) (tarn.Op, error) {
	var o object
	if !utf8.Valid(line) {
		return tarn.Op{}, errors.New("it is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber() // whole numbers of a payload stay whole
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil {
		return tarn.Op{}, plain(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return tarn.Op{}, errors.New("there is something behind the object")
	}
	if bytes.Contains(line, []byte("null")) && holed(line) {
		return tarn.Op{}, errors.New(`"vector" cannot hold null`)
	}
	if (o.ID == nil) == (o.Key == nil) {
		return tarn.Op{}, errors.New(`it must have an "id" or a "key"`)
	}
	op := tarn.Op{Delete: o.Delete, Point: tarn.Point{Vector: o.Vector, Payload: o.Payload}}
	if o.ID != nil {
		op.Point.ID = *o.ID
	} else {
		op.Point.Key = *o.Key
	}
	switch {
	case op.Delete && (o.Vector != nil || o.Payload != nil):
		return op, errors.New("a delete has no vector and no payload")
	case !op.Delete && len(o.Vector) != dim:
		return op, fmt.Errorf("the vector has %d dimensions, the collection has %d", len(o.Vector), dim)
	}
	return op, nil
}

// holed reports whether a number of the vector is null, which encoding/json reads as 0.
func holed(line []byte) bool {
	var o struct {
		Vector []*float32 `json:"vector"`
	}
	return json.Unmarshal(line, &o) == nil && slices.Contains(o.Vector, nil)
}

// plain words an error of encoding/json for somebody who has not read this code.
func plain(err error) error {
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Errorf("%q cannot be %s", kind.Field, kind.Value)
	case errors.As(err, &kind):
		return fmt.Errorf("it is no object but %s", kind.Value)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the object does not end")
	}
	return errors.New(strings.TrimPrefix(err.Error(), "json: "))
}
