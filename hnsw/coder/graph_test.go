//go:build !windows

package coder

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	graph "github.com/coder/hnsw"
	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/kernel"
)

var ctx = context.Background()

const dim = 6

// rows is a source over vectors on the heap; broken fails the check of a slot.
type rows struct {
	codes, vecs *kernel.Rows
	broken      map[uint32]error
}

func (r *rows) Codes() *kernel.Rows   { return r.codes }
func (r *rows) Vectors() *kernel.Rows { return r.vecs }
func (r *rows) Check(slots []uint32) error {
	for _, s := range slots {
		if err := r.broken[s]; err != nil {
			return err
		}
	}
	return nil
}

// newRows returns n random rows of a metric.
func newRows(m kernel.Metric, n int) *rows {
	const shift = 8
	r := &rows{codes: kernel.NewRows(kernel.CodeStride(dim), shift), vecs: kernel.NewRows(kernel.VectorStride(dim), shift), broken: map[uint32]error{}}
	for from := 0; from < n; from += 1 << shift {
		rest := min(n-from, 1<<shift)
		r.codes = r.codes.With(make([]byte, r.codes.Stride()*rest))
		r.vecs = r.vecs.With(make([]byte, r.vecs.Stride()*rest))
	}
	random := rand.New(rand.NewPCG(1, uint64(n)))
	for slot := range uint32(n) {
		v := r.vecs.Float32s(slot, dim)
		for i := range v {
			v[i] = float32(random.NormFloat64())
		}
		kernel.EncodeCode(m, v, r.codes.Bytes(slot))
	}
	return r
}

// filled returns a graph that holds n rows.
func filled(t *testing.T, m kernel.Metric, n int) (*Graph, *rows) {
	t.Helper()
	src := newRows(m, n)
	g, err := New(Config{Dim: dim, Metric: m}, src)
	require.NoError(t, err)
	for slot := range uint32(n) {
		require.NoError(t, g.Insert(ctx, slot))
	}
	return g, src
}

func TestOnlyWantedSlotsAreReturnedOnceSortedWithTheirDistances(t *testing.T) {
	for _, m := range []kernel.Metric{kernel.L2, kernel.Cosine, kernel.Dot} {
		g, src := filled(t, m, 300)
		require.Equal(t, 300, g.Len())
		require.Equal(t, 300, g.InGraph().Len())
		var live, filter bitmap.Set
		for slot := range uint32(300) {
			if slot%3 > 0 {
				live.Add(slot)
			}
			if slot%2 > 0 {
				filter.Add(slot)
			}
		}
		var q kernel.Query
		q.Set(m, src.vecs.Float32s(7, dim))
		found, err := g.Search(ctx, &q, 1_000, 0, &live, filter.Words(nil), nil)
		require.NoError(t, err)
		require.LessOrEqual(t, len(found), 100, "live and in the filter")
		require.Greater(t, len(found), 80, "it loses some of its nodes")
		seen := map[uint32]bool{}
		last := found[0].Dist
		for _, c := range found {
			require.True(t, c.Slot%3 > 0 && c.Slot%2 > 0, c.Slot)
			require.False(t, seen[c.Slot])
			seen[c.Slot] = true
			require.LessOrEqual(t, last, c.Dist)
			last = c.Dist
			var d [1]float32
			q.Vectors(src.codes, src.vecs, []uint32{c.Slot}, d[:])
			require.Equal(t, d[0], c.Dist)
		}
		near, err := g.Search(ctx, &q, 5, 300, &live, filter.Words(nil), nil)
		require.NoError(t, err)
		require.Len(t, near, 5)
	}
}

func TestTheSeedMakesTheLevelsRepeatable(t *testing.T) {
	src := newRows(kernel.Cosine, 500)
	levels := func(seed uint64) []int {
		g, err := New(Config{Dim: dim, Metric: kernel.Cosine, Seed: seed}, src)
		require.NoError(t, err)
		for slot := range uint32(500) {
			require.NoError(t, g.Insert(ctx, slot))
		}
		return (&graph.Analyzer[uint32]{Graph: g.g}).Topography()
	}
	require.Equal(t, levels(1), levels(1))
	require.NotEqual(t, levels(1), levels(2))
}

func TestDeadSlotsAreMadeUpFor(t *testing.T) {
	g, src := filled(t, kernel.L2, 200)
	var q kernel.Query
	q.Set(kernel.L2, src.vecs.Float32s(40, dim))
	all, err := g.Search(ctx, &q, 200, 0, nil, nil, nil)
	require.NoError(t, err)
	require.Greater(t, len(all), 100, "it loses some of its nodes")
	var live bitmap.Set
	live.Add(all[len(all)/2].Slot)
	live.Add(all[len(all)-1].Slot)
	found, err := g.Search(ctx, &q, 2, 2, &live, nil, nil)
	require.NoError(t, err)
	require.Len(t, found, 2, "however few of the nearest are live")
}

func TestWhatIsAskedWronglyIsAnError(t *testing.T) {
	for _, cfg := range []Config{{Dim: 0}, {Dim: 2, Metric: 9}, {Dim: 2, M: -1}, {Dim: 2, EfConstruction: -1}} {
		_, err := New(cfg, newRows(kernel.L2, 1))
		require.Error(t, err, "%+v", cfg)
	}
	g, src := filled(t, kernel.L2, 10)
	require.ErrorIs(t, g.Insert(ctx, src.vecs.Cap()), ErrSlot)
	require.NoError(t, g.Insert(ctx, 3), "it is there already")
	require.Equal(t, 10, g.Len())

	broken := errors.New("broken row")
	src.broken[4] = broken
	var q kernel.Query
	q.Set(kernel.L2, src.vecs.Float32s(4, dim))
	_, err := g.Search(ctx, &q, 10, 10, nil, nil, nil)
	require.ErrorIs(t, err, broken)

	canceled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = g.Search(canceled, &q, 1, 1, nil, nil, nil)
	require.ErrorIs(t, err, context.Canceled)
	fresh, err := New(Config{Dim: dim}, src)
	require.NoError(t, err)
	require.ErrorIs(t, fresh.Insert(ctx, 4), broken)
	require.ErrorIs(t, fresh.Insert(canceled, 5), context.Canceled)
	require.Zero(t, fresh.Len())
	found, err := fresh.Search(ctx, &q, 3, 3, nil, nil, nil)
	require.NoError(t, err)
	require.Empty(t, found)
}

func TestInsertsAndSearchesMayRunTogether(t *testing.T) {
	src := newRows(kernel.Cosine, 400)
	g, err := New(Config{Dim: dim, Metric: kernel.Cosine, M: 8, EfConstruction: 32}, src)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for worker := range uint32(4) {
		wg.Go(func() {
			for slot := worker; slot < 400; slot += 4 {
				if err := g.Insert(ctx, slot); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			var q kernel.Query
			q.Set(kernel.Cosine, src.vecs.Float32s(worker, dim))
			for range 20 {
				if _, err := g.Search(ctx, &q, 5, 16, nil, nil, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, 400, g.Len())
	for slot := range uint32(400) {
		require.True(t, g.Contains(slot))
		require.True(t, g.Finds(slot, 64))
	}
}
