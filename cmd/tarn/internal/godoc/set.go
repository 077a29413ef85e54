package godoc

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

//go:embed data
var files embed.FS

// Symbol is one exported symbol of the standard library.
type Symbol struct {
	ID         uint64 `json:"id"` // 1, 2, 3, ... in the order of the set
	Pkg        string `json:"pkg"`
	Symbol     string `json:"symbol"`
	Kind       string `json:"kind"`
	Doc        string `json:"doc"` // first sentence
	Deprecated bool   `json:"deprecated,omitempty"`

	Vector []float32 `json:"-"`
}

// Query is one question in plain English.
type Query struct {
	ID   uint64 `json:"id"`
	Text string `json:"text"`

	Vector []float32 `json:"-"`
}

// Set is all of the demo's data.
type Set struct {
	Dim     int
	Symbols []Symbol
	Queries []Query
}

// Load decodes the data that is built into the program.
func Load() (*Set, error) {
	s := &Set{}
	symbols, err := load(&s.Symbols, "symbols")
	if err != nil {
		return nil, err
	}
	queries, err := load(&s.Queries, "queries")
	if err != nil {
		return nil, err
	}
	if symbols.Dim != queries.Dim {
		return nil, fmt.Errorf("demo data: symbols have %d dimensions, queries %d", symbols.Dim, queries.Dim)
	}
	s.Dim = symbols.Dim
	for i := range s.Symbols {
		s.Symbols[i].Vector = symbols.Row(i)
	}
	for i := range s.Queries {
		s.Queries[i].Vector = queries.Row(i)
	}
	return s, nil
}

// load reads data/name.jsonl.gz into rows and returns data/name.vec, which has
// as many rows.
func load[T any](rows *[]T, name string) (Matrix, error) {
	text, err := files.ReadFile("data/" + name + ".jsonl.gz")
	if err != nil {
		return Matrix{}, fmt.Errorf("demo data: %w", err)
	}
	if *rows, err = ReadLines[T](bytes.NewReader(text)); err != nil {
		return Matrix{}, fmt.Errorf("demo data: %s.jsonl.gz: %w", name, err)
	}
	packed, err := files.ReadFile("data/" + name + ".vec")
	if err != nil {
		return Matrix{}, fmt.Errorf("demo data: %w", err)
	}
	m, err := Unpack(packed)
	if err != nil {
		return Matrix{}, fmt.Errorf("demo data: %s.vec: %w", name, err)
	}
	if m.Rows != len(*rows) {
		return Matrix{}, fmt.Errorf("demo data: %s: %d lines for %d vectors", name, len(*rows), m.Rows)
	}
	return m, nil
}

// ReadLines decodes gzipped text with one JSON value a line.
func ReadLines[T any](r io.Reader) ([]T, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("open gzip: %w", err)
	}
	var rows []T
	dec := json.NewDecoder(bufio.NewReader(z))
	for {
		var row T
		if err := dec.Decode(&row); errors.Is(err, io.EOF) {
			return rows, z.Close()
		} else if err != nil {
			return nil, fmt.Errorf("line %d: %w", len(rows)+1, err)
		}
		rows = append(rows, row)
	}
}

// WriteLines is the other direction of ReadLines.
func WriteLines[T any](w io.Writer, rows []T) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return fmt.Errorf("open gzip: %w", err)
	}
	enc := json.NewEncoder(z)
	enc.SetEscapeHTML(false)
	for i := range rows {
		if err := enc.Encode(rows[i]); err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return z.Close()
}
