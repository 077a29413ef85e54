package main

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/bench/internal/await"
	"github.com/tarndb/tarn/bench/internal/data"
	"github.com/tarndb/tarn/collection"
	"github.com/tarndb/tarn/internal/vfs"
)

const (
	name    = "bench"
	centres = 8 // balls are around this many points in turn
)

// own is the attribute of a set whose values lie together.
var own = map[string]string{"mnist-784": "label", "debdocs-minilm": "package", "godoc-minilm": "pkg"}

// subject is a set with what its points say of themselves.
type subject struct {
	*data.Set
	own []any // by row
}

func load(set string) (*subject, error) {
	s, err := data.Load(set)
	if err != nil {
		return nil, err
	}
	x := &subject{Set: s, own: make([]any, len(s.Base))}
	if set == "mnist-784" {
		labels, err := data.ReadVectors(filepath.Join(os.Getenv(data.Folder), set, "labels.u8bin.gz"))
		if err != nil {
			return nil, err
		}
		for i := range x.own {
			x.own[i] = int(labels[i][0])
		}
		return x, nil
	}
	all, err := data.LoadAttributes(set)
	if err != nil {
		return nil, err
	}
	for i := range x.own {
		x.own[i] = all[i][own[set]]
	}
	return x, nil
}

// payloads returns what is stored with the points: a random number below 1, the own
// attribute, and for each centre the share of points that are nearer to it.
func (x *subject) payloads() []tarn.Payload {
	r := rand.New(rand.NewPCG(8, 8))
	all := make([]tarn.Payload, len(x.Base))
	for i := range all {
		all[i] = tarn.Payload{"random": r.Float64(), own[x.Name]: x.own[i]}
	}
	for c := range centres {
		for rank, row := range x.around(c) {
			all[row][ball(c)] = float64(rank) / float64(len(all))
		}
	}
	return all
}

func ball(c int) string { return fmt.Sprint("ball", c) }

// around returns the rows by their distance from query c, nearest first.
func (x *subject) around(c int) []int {
	rows, dist := make([]int, len(x.Base)), make([]float64, len(x.Base))
	for i, v := range x.Base {
		rows[i], dist[i] = i, x.Distance(x.Queries[c], v)
	}
	slices.SortStableFunc(rows, func(a, b int) int { return cmp.Compare(dist[a], dist[b]) })
	return rows
}

// fields are the indexed ones.
func fields(set string) []string {
	list := []string{"random", own[set]}
	for c := range centres {
		list = append(list, ball(c))
	}
	return list
}

// build makes the store of a set in dir, if it is not there.
func build(ctx context.Context, x *subject, dir string) (err error) {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	unfinished := dir + ".new"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	db, err := tarn.Open(unfinished, nil)
	if err != nil {
		return err
	}
	if err := fill(ctx, db, x); err != nil {
		db.Close()
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	return os.Rename(unfinished, dir)
}

func fill(ctx context.Context, db *tarn.DB, x *subject) error {
	c, err := db.CreateCollection(ctx, name, tarn.CollectionConfig{Dim: x.Dim(), Metric: x.Metric, Fields: fields(x.Name)})
	if err != nil {
		return err
	}
	all := x.payloads()
	const batch = 512
	for from := 0; from < len(x.Base); from += batch {
		var points []tarn.Point
		for i := from; i < min(from+batch, len(x.Base)); i++ {
			points = append(points, tarn.Point{ID: uint64(i), Vector: x.Base[i], Payload: all[i]})
		}
		if err := c.Upsert(ctx, points...); err != nil {
			return err
		}
	}
	return await.Idle(ctx, c)
}

// open opens the store of a set read-only, its searches under a filter going one way.
func open(ctx context.Context, dir string, k collection.Knobs) (*tarn.Collection, error) {
	fs, err := vfs.OS(filepath.Join(dir, "collections", name))
	if err != nil {
		return nil, err
	}
	c, err := collection.Open(collection.Options{
		Name: name, FS: fs, ReadOnly: true, MaxPayload: tarn.DefaultMaxPayload, MaxK: tarn.DefaultMaxK, Knobs: k,
	})
	if err != nil {
		return nil, err
	}
	return c, await.Idle(ctx, c)
}
