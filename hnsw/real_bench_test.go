package hnsw

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/kernel"
)

// realGraph builds a graph over a real set, TARN_SET in the folder TARN_DATA, or over a
// generated one.
func realGraph(b *testing.B) (g *Graph, d *dataset) {
	if os.Getenv("TARN_DATA") != "" {
		d = loadDataset(b, cmpOr(os.Getenv("TARN_SET"), "godoc-minilm"))
	} else {
		d = &dataset{name: "generated", metric: kernel.L2, base: clustered(3, 5_000, 64), queries: clustered(4, 100, 64)}
		var q kernel.Query
		m := newMemory(Config{Dim: 64}, d.base)
		dists, slots := make([]float32, len(d.base)), make([]uint32, len(d.base))
		for _, v := range d.queries {
			for i := range slots {
				slots[i] = uint32(i)
			}
			q.Set(d.metric, v)
			q.Vectors(m.codes, m.vecs, slots, dists)
			slices.SortFunc(slots, func(x, y uint32) int {
				return byDistance(kernel.Candidate{Slot: x, Dist: dists[x]}, kernel.Candidate{Slot: y, Dist: dists[y]})
			})
			d.truth = append(d.truth, slices.Clone(slots[:100]))
		}
	}
	cfg := Defaults(len(d.base[0]))
	cfg.Metric = d.metric
	g, err := New(cfg, newMemory(cfg, d.base))
	require.NoError(b, err)
	for i := range d.base {
		require.NoError(b, g.Insert(ctx, uint32(i)))
	}
	return g, d
}

// BenchmarkDistances counts, by beam, the distances of a search: all, and those on
// the layers above 0, where hubs are compared.
func BenchmarkDistances(b *testing.B) {
	g, d := realGraph(b)
	var q kernel.Query
	var out []kernel.Candidate
	var err error
	for _, ef := range []int{10, 20, 40, 64, 100, 200, 400} {
		b.Run(fmt.Sprintf("data=%s/k=10/ef=%d", d.name, ef), func(b *testing.B) {
			hits, all, above := 0.0, 0, 0
			for i := range b.N {
				at := i % len(d.queries)
				q.Set(g.cfg.Metric, d.queries[at])
				before := g.evals.Load()
				out, err = g.Search(ctx, &q, 10, ef, nil, nil, out)
				require.NoError(b, err)
				all += int(g.evals.Load() - before)
				hits += recall(out, d.truth[at], 10)
				b.StopTimer()
				above += g.above(b, &q)
				b.StartTimer()
			}
			b.ReportMetric(hits/float64(b.N), "recall")
			b.ReportMetric(float64(all)/float64(b.N), "distances/op")
			b.ReportMetric(float64(above)/float64(b.N), "above/op")
		})
	}
}

// above counts the distances of a search before it comes to layer 0.
func (g *Graph) above(b *testing.B, q *kernel.Query) int {
	w := g.acquire()
	defer g.release(w)
	at, _, ok := w.enter(g, q)
	require.True(b, ok)
	_, err := w.approach(ctx, g, q, at)
	require.NoError(b, err)
	return w.evals
}

// BenchmarkRescored shows what recall each number of exactly scored candidates
// gives, of a beam of 64 that was ordered by codes. A search scores 21 for k = 10,
// and more where codes do not tell.
func BenchmarkRescored(b *testing.B) {
	g, d := realGraph(b)
	var q kernel.Query
	for _, n := range []int{10, 12, 14, 16, 21, 30, 64} {
		b.Run(fmt.Sprintf("data=%s/k=10/ef=64/rescored=%d", d.name, n), func(b *testing.B) {
			hits := 0.0
			for i := range b.N {
				at := i % len(d.queries)
				q.Set(g.cfg.Metric, d.queries[at])
				out, err := g.firstByCode(&q, 64, n)
				require.NoError(b, err)
				hits += recall(out[:10], d.truth[at], 10)
			}
			b.ReportMetric(hits/float64(b.N), "recall")
		})
	}
}

// firstByCode returns the n nearest by codes of a beam, sorted by their exact
// distances.
func (g *Graph) firstByCode(q *kernel.Query, ef, n int) ([]kernel.Candidate, error) {
	w := g.acquire()
	defer g.release(w)
	if err := w.settle(ctx, g, q, ef, wanted{}); err != nil {
		return nil, err
	}
	out := w.pool.candidates(nil, noSlot)
	out = out[:min(n, len(out))]
	for i := range out {
		slot, dist := []uint32{out[i].Slot}, []float32{0}
		q.Vectors(w.codes, g.src.Vectors(), slot, dist)
		out[i].Dist = dist[0]
	}
	slices.SortFunc(out, byDistance)
	return out, nil
}
