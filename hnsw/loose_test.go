package hnsw

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func gauss(seed uint64, n, dim int) [][]float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	vecs := make([][]float32, n)
	for i := range vecs {
		vecs[i] = drawn(r, dim, 1)
	}
	return vecs
}

// TestAnInsertTellsWhatItTookLinksFrom compares with the links before and after it.
func TestAnInsertTellsWhatItTookLinksFrom(t *testing.T) {
	cfg := Config{Dim: 24, M: 4, EfConstruction: 20}
	base := gauss(31, 1_200, cfg.Dim)
	g, err := New(cfg, newMemory(cfg, base))
	require.NoError(t, err)
	cut, lost := 0, 0
	for slot := range uint32(len(base)) {
		few := 3
		if slot%2 == 0 {
			few = 64
		}
		before, found := arrivals(g), map[uint32]bool{}
		if slot > 1_000 {
			for s := range slot {
				found[s] = g.Finds(s, 10)
			}
		}
		loose, err := g.InsertNoting(ctx, slot, few, nil)
		require.NoError(t, err)
		after := arrivals(g)
		for s, n := range before {
			if after[s] >= n {
				continue
			}
			cut++
			if backs := linksBack(g, s); backs <= few {
				require.Contains(t, loose, s, "slot %d of %d links, %d of them back", s, after[s], backs)
			} else {
				require.NotContains(t, loose, s)
			}
			if found[s] && !g.Finds(s, 10) {
				lost++
			}
		}
	}
	require.Greater(t, cut, 500, "rows were full")
	require.NotZero(t, lost, "some were lost by it")
}

func linksBack(g *Graph, slot uint32) (n int) {
	v := g.base.view.Load()
	for _, link := range v.row(slot) {
		if link == 0 {
			break
		}
		if link != slot+1 && links(v.row(link-1), slot) {
			n++
		}
	}
	return n
}

func TestLinkTellsWhatItTookLinksFrom(t *testing.T) {
	cfg := Config{Dim: 24, M: 4, EfConstruction: 20}
	base := gauss(32, 1_500, cfg.Dim)
	g, err := New(cfg, newMemory(cfg, base))
	require.NoError(t, err)
	for slot := range uint32(len(base)) {
		require.NoError(t, g.Insert(ctx, slot))
	}
	cut := 0
	for slot := range uint32(len(base)) {
		if g.Finds(slot, 10) {
			continue
		}
		before := arrivals(g)
		loose, err := g.Link(ctx, slot, 10, nil)
		require.NoError(t, err)
		for s, n := range arrivals(g) {
			if n < before[s] {
				cut++
				require.Contains(t, loose, s)
			}
		}
	}
	require.NotZero(t, cut)
}
