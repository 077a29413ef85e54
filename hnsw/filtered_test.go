package hnsw

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/kernel"
)

// groups is a graph of vectors in far apart groups; slot i is of group i%10.
func groups(t *testing.T, n int) (*Graph, [][]float32) {
	r := rand.New(rand.NewPCG(5, 5))
	base := make([][]float32, n)
	for i := range base {
		v := make([]float32, 16)
		for j := range v {
			v[j] = float32(r.NormFloat64())
		}
		v[i%10] += 30
		base[i] = v
	}
	cfg := Config{Dim: 16, Metric: kernel.L2, M: 8, EfConstruction: 60, Seed: 1}
	g, err := New(cfg, newMemory(cfg, base))
	require.NoError(t, err)
	for i := range base {
		require.NoError(t, g.Insert(context.Background(), uint32(i)))
	}
	return g, base
}

// What matches lies in one group, and the query in another: the way from the entry
// point leads away from it.
func TestMatchesFarFromTheQueryAreFoundOverTwoHops(t *testing.T) {
	g, base := groups(t, 4000)
	live := &bitmap.Set{}
	for i := range base {
		live.Add(uint32(i))
	}
	filter := make(bitmap.Words, len(base)/64+1)
	var matches []uint32
	for i := range base {
		if i%10 == 3 && i%3 == 0 {
			filter.Add(uint32(i))
			matches = append(matches, uint32(i))
		}
	}
	live.Remove(matches[0])
	hits, of := 0, 0
	for i := range 50 {
		var q kernel.Query
		q.Set(kernel.L2, base[i*10]) // of group 0
		got, ok, err := g.SearchFiltered(context.Background(), &q, 10, 64, live, Among{Filter: filter, Scan: math.MaxInt32, Hops: true}, nil)
		require.NoError(t, err)
		require.True(t, ok)
		truth := make([]kernel.Candidate, 0, len(matches))
		for _, slot := range matches[1:] {
			var d [1]float32
			q.Vectors(g.src.Codes(), g.src.Vectors(), []uint32{slot}, d[:])
			truth = append(truth, kernel.Candidate{Slot: slot, Dist: d[0]})
		}
		farthest := kth(truth, 10)
		for _, c := range got {
			require.True(t, filter.Has(c.Slot) && live.Has(c.Slot))
			if c.Dist <= farthest {
				hits++
			}
		}
		of += 10
	}
	require.Greater(t, float64(hits)/float64(of), 0.95)
}

func kth(all []kernel.Candidate, k int) float32 {
	best := make([]float32, 0, len(all))
	for _, c := range all {
		best = append(best, c.Dist)
	}
	for i := range k { // selection is enough for a test
		for j := i + 1; j < len(best); j++ {
			if best[j] < best[i] {
				best[i], best[j] = best[j], best[i]
			}
		}
	}
	return best[k-1]
}

func TestASearchOverTwoHopsSaysWhenItFoundTooLittleAndEndsWithItsContext(t *testing.T) {
	g, base := groups(t, 4000)
	filter := make(bitmap.Words, len(base)/64+1)
	for i := range base {
		if i%4 == 0 {
			filter.Add(uint32(i))
		}
	}
	var q kernel.Query
	q.Set(kernel.L2, base[1])
	few := make(bitmap.Words, len(base)/64+1)
	few.Add(77)
	_, ok, err := g.SearchFiltered(context.Background(), &q, 10, 64, nil, Among{Filter: few, Scan: math.MaxInt32, Hops: true}, nil)
	require.NoError(t, err)
	require.False(t, ok, "one slot is not ten")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, _, err = g.SearchFiltered(ctx, &q, 10, 2000, nil, Among{Filter: filter, Scan: math.MaxInt32, Hops: true}, nil)
	require.ErrorIs(t, err, context.Canceled)
}

// Nine tenths match, but none of the query's own group: a walk to the next group would
// compare with all of this one.
func TestAQueryWhereNothingMatchesIsLeftToAScanBeforeItIsWalkedAround(t *testing.T) {
	g, base := groups(t, 20_000)
	filter := make(bitmap.Words, len(base)/64+1)
	matches := 0
	for i := range base {
		if i%10 != 0 {
			filter.Add(uint32(i))
			matches++
		}
	}
	var q kernel.Query
	q.Set(kernel.L2, base[0])
	among := Among{Filter: filter, Share: 0.9, Others: len(base) - matches, Scan: matches / 3}
	for _, hop := range []bool{false, true} {
		among.Hops = hop
		before := g.evals.Load()
		_, ok, err := g.SearchFiltered(context.Background(), &q, 10, 20, nil, among, nil)
		require.NoError(t, err)
		require.False(t, ok, "hops: %v", hop)
		require.Less(t, g.evals.Load()-before, int64(len(base)/10), "hops: %v", hop)
	}
	among.Hops, among.Share = false, 0
	got, ok, err := g.SearchFiltered(context.Background(), &q, 10, 20, nil, among, nil)
	require.NoError(t, err)
	require.True(t, ok, "without limits it goes on")
	require.Len(t, got, 10)
	q.Set(kernel.L2, base[1])
	among.Share = 0.9
	got, ok, err = g.SearchFiltered(context.Background(), &q, 10, 20, nil, among, nil)
	require.NoError(t, err)
	require.True(t, ok, "where what matches is near it is an ordinary walk")
	require.Equal(t, uint32(1), got[0].Slot)
}

func TestAWalkUnderAFilterIsGivenUpForWhatItMetAndEndsWithItsWork(t *testing.T) {
	met := func(wanted, dead int) *walk {
		w := &walk{}
		w.pool.keys, w.pool.wanted = make([]uint64, wanted+dead), wanted
		w.limits = limits{early: 100, most: 1000, share: 0.5}
		return w
	}
	w := met(10, 90) // a tenth matches, of a half
	require.False(t, w.spent(99))
	require.True(t, w.spent(100))
	require.True(t, w.limits.lost)
	w = met(13, 87)
	require.False(t, w.spent(100))
	w.pool.wanted = 0 // it is looked at once
	require.False(t, w.spent(999))
	require.True(t, w.spent(1000))
	require.False(t, w.limits.lost, "what it has found counts")
	w = met(0, 10)
	w.limits = limits{}
	require.False(t, w.spent(math.MaxInt), "no limits")
}
