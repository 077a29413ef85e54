package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/tarndb/tarn"
)

// atOnce is how many passages one request embeds.
const atOnce = 32

type indexer struct {
	notes    *tarn.Collection
	embedder Embedder
	folder   string
	said     io.Writer
	embedded int
}

// index makes the collection hold the passages of the notes below the folder.
func (x *indexer) index(ctx context.Context) error {
	names, err := files(x.folder)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := x.file(ctx, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	gone, err := x.sweep(ctx, names)
	if err != nil {
		return err
	}
	fmt.Fprintf(x.said, "%d notes, %d passages; %d new or changed, %d deleted with their notes\n",
		len(names), x.notes.Len(), x.embedded, gone)
	return nil
}

// file brings the passages of one note up to date.
func (x *indexer) file(ctx context.Context, name string) error {
	text, err := os.ReadFile(filepath.Join(x.folder, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	all := passages(string(text))
	var changed []tarn.Point
	for n, passage := range all {
		have, err := x.notes.GetKey(ctx, key(name, n))
		if err != nil && !errors.Is(err, tarn.ErrNotFound) {
			return err
		}
		if err != nil || have.Payload["text"] != passage {
			changed = append(changed, tarn.Point{Key: key(name, n), Payload: tarn.Payload{"file": name, "place": n, "text": passage}})
		}
	}
	for some := range slices.Chunk(changed, atOnce) {
		if err := x.embed(ctx, some); err != nil {
			return err
		}
	}
	// The note may have been longer before.
	_, err = x.notes.DeleteWhere(ctx, tarn.And(tarn.Eq("file", name), tarn.Gte("place", len(all))))
	return err
}

func (x *indexer) embed(ctx context.Context, points []tarn.Point) error {
	texts := make([]string, len(points))
	for i := range points {
		texts[i] = points[i].Payload["text"].(string)
	}
	vectors, err := x.embedder.Embed(ctx, texts)
	if err != nil {
		return err
	}
	for i := range points {
		points[i].Vector = vectors[i]
	}
	x.embedded += len(points)
	return x.notes.Upsert(ctx, points...)
}

// sweep deletes the passages of notes that are no longer there.
func (x *indexer) sweep(ctx context.Context, names []string) (gone int, err error) {
	missing := map[string]bool{}
	for p, err := range x.notes.All(ctx) {
		if err != nil {
			return 0, err
		}
		name := p.Payload["file"].(string)
		if _, ok := slices.BinarySearch(names, name); !ok {
			missing[name] = true
		}
	}
	for name := range missing {
		n, err := x.notes.DeleteWhere(ctx, tarn.Eq("file", name))
		if err != nil {
			return gone, err
		}
		gone += n
	}
	return gone, nil
}
