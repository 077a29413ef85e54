package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/bench/internal/await"
	"github.com/tarndb/tarn/bench/internal/data"
)

const (
	k        = 10
	clusters = 200
	queries  = 50
	searches = 5_000
	batch    = 256
)

// life is one run: what a store goes through.
type life struct {
	N, Dim, Intrinsic int
	Dir               string
}

func (l life) run(ctx context.Context) (f figures, err error) {
	dir, err := os.MkdirTemp(l.Dir, "tarn-scale-")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "db")
	f.Points = l.N
	asked, base := data.Stream(data.Shape{N: l.N, Dim: l.Dim, Intrinsic: l.Intrinsic, Clusters: clusters, Queries: queries, Metric: tarn.L2})
	rows := slices.Collect(base)
	truth := make([]*data.Nearest, len(asked))
	for i, q := range asked {
		truth[i] = data.NewNearest(tarn.L2, q, k)
		for _, row := range rows {
			truth[i].Show(row)
		}
	}
	db, err := tarn.Open(path, nil)
	if err != nil {
		return f, err
	}
	c, err := db.CreateCollection(ctx, "points", tarn.CollectionConfig{Dim: l.Dim, Streaming: &tarn.StreamingConfig{}})
	if err == nil {
		err = l.stream(ctx, c, rows, &f)
	}
	rows = nil // what is measured after Open is the store's
	if err == nil {
		err = search(ctx, c, asked, truth, &f)
	}
	if err == nil {
		err = rebuild(ctx, c, &f)
	}
	start := time.Now()
	if closeErr := db.Close(); err == nil {
		err = closeErr
	}
	f.CloseMS = since(start)
	if err != nil {
		return f, err
	}
	if err := f.weigh(path); err != nil {
		return f, err
	}
	return f, l.again(ctx, path, asked, &f)
}

// stream sends the rows, waits until they are durable and then until the graph holds
// them.
func (l life) stream(ctx context.Context, c *tarn.Collection, rows [][]float32, f *figures) error {
	s, err := c.Stream()
	if err != nil {
		return err
	}
	start, busy := time.Now(), processorUS()
	points := make([]tarn.Point, 0, batch)
	for i, row := range rows {
		points = append(points, tarn.Point{ID: uint64(i), Vector: row})
		if len(points) == batch || i == len(rows)-1 {
			if _, err := s.SendBatch(ctx, points); err != nil {
				return err
			}
			points = points[:0]
		}
	}
	if err := s.Flush(ctx); err != nil {
		return err
	}
	f.DurablePS = float64(len(rows)) / time.Since(start).Seconds()
	indexed, err := await.Indexed(ctx, c)
	if err != nil {
		return err
	}
	f.IndexedPS = float64(len(rows)) / indexed.Sub(start).Seconds()
	f.InsertUS = (processorUS() - busy) / float64(len(rows))
	return nil
}

// rebuild makes a second graph and throws the first away.
func rebuild(ctx context.Context, c *tarn.Collection, f *figures) error {
	start, busy := time.Now(), processorUS()
	err := c.Rebuild(ctx, tarn.IndexConfig{})
	f.RebuildS = since(start) / 1e3
	f.RebuildUS = (processorUS() - busy) / float64(f.Points)
	return err
}

// search asks every query once for recall and many times for its time.
func search(ctx context.Context, c *tarn.Collection, asked [][]float32, truth []*data.Nearest, f *figures) error {
	for i, q := range asked {
		near, err := c.Search(ctx, q, k, tarn.WithVectors())
		if err != nil {
			return err
		}
		rows := make([][]float32, len(near))
		for j, r := range near {
			rows[j] = r.Vector
		}
		f.Recall += truth[i].Share(rows) / float64(len(asked))
	}
	took := make([]float64, searches)
	before, busy := c.Stats().GraphDistances, processorUS()
	for i := range took {
		start := time.Now()
		if _, err := c.Search(ctx, asked[i%len(asked)], k); err != nil {
			return err
		}
		took[i] = float64(time.Since(start).Nanoseconds()) / 1e3
	}
	f.SearchUS = (processorUS() - busy) / searches
	f.Distances = float64(c.Stats().GraphDistances-before) / searches
	slices.Sort(took)
	f.P50, f.P99 = took[searches/2], took[searches*99/100]
	return nil
}

// again opens the closed store and looks how long that takes and what it holds.
func (l life) again(ctx context.Context, path string, asked [][]float32, f *figures) error {
	runtime.GC()
	debug.FreeOSMemory()
	start := time.Now()
	db, err := tarn.Open(path, nil)
	if err != nil {
		return err
	}
	c, err := db.Collection("points")
	if err == nil {
		_, err = c.Search(ctx, asked[0], k)
	}
	f.OpenMS = since(start)
	for i := 0; err == nil && i < searches; i++ {
		_, err = c.Search(ctx, asked[i%len(asked)], k)
	}
	f.Anonymous, f.FileBacked = memoryMB()
	if closeErr := db.Close(); err == nil {
		err = closeErr
	}
	return err
}

func since(start time.Time) float64 { return float64(time.Since(start).Microseconds()) / 1e3 }
