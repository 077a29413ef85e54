package hnsw

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/kernel"
)

// TestReal logs what a real set gives: TARN_DATA names the folder, TARN_SET the set.
func TestReal(t *testing.T) {
	d := loadDataset(t, os.Getenv("TARN_SET"))
	if n, _ := strconv.Atoi(os.Getenv("TARN_N")); n > 0 {
		d.base = d.base[:n]
	}
	cfg := Defaults(len(d.base[0]))
	cfg.Metric = d.metric
	m := newMemory(cfg, d.base)
	g, err := New(cfg, m)
	require.NoError(t, err)
	ctx := context.Background()
	start := time.Now()
	for i := range d.base {
		require.NoError(t, g.Insert(ctx, uint32(i)))
	}
	t.Logf("build %.0f/s", float64(len(d.base))/time.Since(start).Seconds())
	var q kernel.Query
	var out []kernel.Candidate
	above := 0 // distances on the layers above 0, the same for every beam
	for _, v := range d.queries {
		q.Set(cfg.Metric, v)
		w := g.acquire()
		at, _, ok := w.enter(g, &q)
		require.True(t, ok)
		_, err := w.approach(ctx, g, &q, at)
		require.NoError(t, err)
		above += w.evals
		g.release(w)
	}
	t.Logf("distances above layer 0: %.0f a search", float64(above)/float64(len(d.queries)))
	for _, ef := range []int{10, 20, 40, 64, 100, 200, 400} {
		sum := 0.0
		evals := g.evals.Load()
		start := time.Now()
		for i, v := range d.queries {
			q.Set(cfg.Metric, v)
			out, err = g.Search(ctx, &q, 10, ef, nil, nil, out)
			require.NoError(t, err)
			sum += recall(out, d.truth[i], 10)
		}
		took := time.Since(start)
		n := float64(len(d.queries))
		t.Logf("ef %d recall %.4f qps %.0f evals %.0f", ef, sum/n, n/took.Seconds(), float64(g.evals.Load()-evals)/n)
	}
	for _, ef := range []int{10, 32, 64, 128} {
		miss := 0
		for i := range d.base {
			if !g.Finds(uint32(i), ef) {
				miss++
			}
		}
		t.Logf("ef %d own vector missed %d", ef, miss)
	}
	t.Logf("unreachable %d", len(g.Unreachable(nil)))
}
