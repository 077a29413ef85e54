package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/cmd/tarn/internal/godoc"
)

const collection = "godoc"

// Options of a run. The zero value runs in a temporary folder and says nothing.
type Options struct {
	Dir      string // the store's folder, kept; empty: a temporary one, removed
	Progress Progress
}

type demo struct {
	set    *godoc.Set
	dir    string
	show   Progress
	ledger *ledger
	tally  tally
	report Report

	db *tarn.DB
	c  *tarn.Collection
}

// Run streams set through a new store and reports what it saw. An error means
// that the demo could not be run to its end; a broken promise is no error, it
// stands in the report.
func Run(ctx context.Context, set *godoc.Set, opts Options) (_ *Report, err error) {
	d := &demo{set: set, dir: opts.Dir, show: opts.Progress, ledger: newLedger(len(set.Symbols))}
	if d.show == nil {
		d.show = Silent{}
	}
	if d.dir == "" {
		folder, err := os.MkdirTemp("", "tarn-demo-")
		if err != nil {
			return nil, fmt.Errorf("make a temporary folder: %w", err)
		}
		defer os.RemoveAll(folder)
		d.dir = filepath.Join(folder, "store")
	}
	defer func() { err = errors.Join(err, d.close(ctx)) }()
	for _, stage := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"create the store", d.create},
		{"stream nine tenths", d.streamMost},
		{"close the store", d.close},
		{"open it again", d.reopen},
		{"stream the last tenth", d.streamRest},
		{"check every point", d.check},
		{"measure recall", d.recall},
		{"close the store", d.close},
		{"count its bytes", d.measure},
	} {
		if err := stage.run(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", stage.name, err)
		}
	}
	d.show.Stop()
	return &d.report, nil
}

func (d *demo) create(ctx context.Context) (err error) {
	if d.db, err = tarn.Open(d.dir, nil); err != nil {
		return err
	}
	if d.c, err = d.db.CreateCollection(ctx, collection, tarn.CollectionConfig{Dim: d.set.Dim, Metric: tarn.Cosine}); err != nil {
		return err
	}
	if _, err := d.c.EnableStreaming(ctx, tarn.DefaultStreamingConfig()); err != nil {
		return err
	}
	d.report.describe(d.set)
	d.show.Say("%s doc comments of Go's standard library, %d dimensions, cosine distance", thousands(len(d.set.Symbols)), d.set.Dim)
	return nil
}

// close is safe to call at any time, for a store that is closed too.
func (d *demo) close(context.Context) error {
	if d.db == nil {
		return nil
	}
	db := d.db
	d.db, d.c = nil, nil
	return db.Close()
}

// point is what the store is given of symbol i, at vector.
func (d *demo) point(i int, vector []float32) tarn.Point {
	s := &d.set.Symbols[i]
	return tarn.Point{ID: s.ID, Vector: vector, Payload: tarn.Payload{
		"symbol": s.Symbol, "pkg": s.Pkg, "kind": s.Kind, "doc": s.Doc,
	}}
}

// measure adds up the files of the closed store.
func (d *demo) measure(context.Context) error {
	return filepath.WalkDir(d.dir, func(_ string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		d.report.DiskBytes += info.Size()
		return nil
	})
}
