package tarn

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/tarndb/tarn/collection"
	"github.com/tarndb/tarn/internal/codec"
)

// Report is what Verify found.
type Report struct {
	Points   int       // live points seen
	Bytes    int64     // bytes read
	Findings []Finding // empty: all is well
}

// Finding tells of damage: where, and what it is.
type Finding struct {
	Collection string // "" for the database itself
	File       string // relative to the database directory
	Offset     int64  // -1 where there is none
	Problem    string
}

// Verify reads everything and changes nothing: every header, every frame of the
// logs, every record of the tables, every live vector with its codes and its id,
// every block of the graph files. It compares them with their checksums and with
// each other, and reports what does not fit. An error means that it did not come to
// the end. Writes and searches go on meanwhile; checkpoints wait for a part of it.
func (db *DB) Verify(ctx context.Context) (Report, error) {
	all, r, err := db.beginVerify(ctx)
	if err != nil {
		return Report{}, err
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		before := len(r.Findings)
		seen, err := collection.Verify(ctx, all[name], func(f collection.Finding) {
			r.Findings = append(r.Findings, Finding{name, path.Join(homeName, name, f.File), f.Offset, f.Problem})
		})
		if errors.Is(err, ErrClosed) && db.dropped(name, all[name]) {
			r.Findings = r.Findings[:before]
			continue
		}
		if err != nil {
			return r, fmt.Errorf("verify: %w", err)
		}
		r.Points += seen.Points
		r.Bytes += seen.Bytes
	}
	return r, nil
}

// beginVerify looks at the database's own file and returns the collections that are
// open now.
func (db *DB) beginVerify(ctx context.Context) (map[string]*Collection, Report, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return nil, Report{}, ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, Report{}, err
	}
	r := Report{Bytes: codec.HeaderSize}
	if err := readHeader(db.fs); err != nil {
		r.Findings = append(r.Findings, Finding{File: headerName, Offset: 0, Problem: err.Error()})
	}
	return maps.Clone(db.collections), r, nil
}

// dropped reports whether a collection was dropped while the database stays open.
func (db *DB) dropped(name string, c *Collection) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	return !db.closed && db.collections[name] != c
}
