package hnsw

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/kernel"
)

// arrivals counts the links on layer 0 that lead to each slot.
func arrivals(g *Graph) map[uint32]int {
	n := map[uint32]int{}
	v := g.base.view.Load()
	for slot := range g.in.All() {
		for _, link := range v.row(slot) {
			if link == 0 {
				break
			}
			if link != slot+1 {
				n[link-1]++
			}
		}
	}
	return n
}

// requireWhole asserts G1: the tree of anchors holds every slot, its links are
// there, and nobody has more children than a row has room for.
func requireWhole(t *testing.T, g *Graph, live *bitmap.Set) {
	t.Helper()
	nodes, base := g.nodes.view.Load(), g.base.view.Load()
	children := map[uint32]uint32{}
	roots := 0
	for slot := range g.in.All() {
		anchor := nodes.row(slot)[nodeAnchor] - 1
		if nodes.row(slot)[nodeChildren] == closed {
			if children[slot] > 0 { // plain: testify compares with every key
				t.Fatalf("slot %d is closed and has %d children", slot, children[slot])
			}
			continue
		}
		if anchor == slot {
			roots++
			continue
		}
		if !g.in.Has(anchor) || !slices.Contains(base.row(anchor), slot+1) {
			t.Fatalf("slot %d has no anchor, or that does not lead to it", slot)
		}
		children[anchor]++
	}
	require.LessOrEqual(t, roots, 1)
	for at, n := range children {
		if n > uint32(g.cfg.M) || nodes.row(at)[nodeChildren] != n {
			t.Fatalf("slot %d has %d children, and counts %d", at, n, nodes.row(at)[nodeChildren])
		}
	}
	require.Empty(t, g.Unreachable(live))
}

// TestEqualVectorsAreNoIslandHoweverManyTheyAre has so many that a tree of anchors that
// grows at one place only would become deeper than an insert walks.
func TestEqualVectorsAreNoIslandHoweverManyTheyAre(t *testing.T) {
	base := make([][]float32, 2*2*maxDepth)
	for i := range base {
		base[i] = []float32{1, 2}
	}
	x := newIndex(t, Config{Dim: 2, M: 2}, base, 2)
	requireWhole(t, x.g, &x.live)
}

func TestNoPruneTakesTheLastLinkToASlot(t *testing.T) {
	for name, cfg := range map[string]Config{
		"few links, so that rows are always full": {Dim: 6, M: 2, EfConstruction: 8},
		"the default": {Dim: 6},
	} {
		t.Run(name, func(t *testing.T) {
			x := newIndex(t, cfg, clustered(21, 2_500, 6), 3)
			requireWhole(t, x.g, &x.live)
			n := arrivals(x.g)
			entry, _, _ := x.g.entry.load()
			for slot := range x.g.in.All() {
				require.True(t, n[slot] > 0 || slot == entry, "nothing leads to slot %d", slot)
			}
		})
	}
}

func TestManyEqualVectorsAreNoIsland(t *testing.T) {
	r := rand.New(rand.NewPCG(22, 1))
	base := clustered(22, 1_500, 12)
	same := drawn(r, 12, 1)
	for range 1_500 {
		base = append(base, same)
	}
	r.Shuffle(len(base), func(i, j int) { base[i], base[j] = base[j], base[i] })
	base = append(base, clustered(23, 500, 12)...) // who comes after them is found too
	for _, m := range []Metric{L2, Cosine, Dot} {
		x := newIndex(t, Config{Dim: 12, Metric: m}, base, 2)
		requireWhole(t, x.g, &x.live)
		missed := 0
		for slot := range uint32(len(base)) {
			if !x.g.Finds(slot, 64) {
				missed++
			}
		}
		require.LessOrEqual(t, missed, len(base)/500, m)
		got, err := x.Search(ctx, same, 100, 128, nil)
		require.NoError(t, err)
		for _, n := range got {
			if m == L2 {
				require.Zero(t, n.Distance)
			}
		}
	}
}

func TestAllVectorsEqual(t *testing.T) {
	base := make([][]float32, 2_000)
	for i := range base {
		base[i] = []float32{1, 2, 3}
	}
	x := newIndex(t, Config{Dim: 3}, base, 2)
	requireWhole(t, x.g, &x.live)
	got, err := x.Search(ctx, base[0], 50, 64, nil)
	require.NoError(t, err)
	require.Len(t, got, 50)
}

func TestRepairLinksAroundTheDead(t *testing.T) {
	base, queries := clustered(24, 2_500, 16), clustered(24, 60, 16)
	x := newIndex(t, Config{Dim: 16}, base, 2)
	for _, at := range around(L2, base, base[0], 500) {
		x.Delete(uint32(at))
	}
	changed, err := x.Repair(ctx)
	require.NoError(t, err)
	require.Positive(t, changed)
	requireWhole(t, x.g, &x.live)
	nodes, rows := x.g.nodes.view.Load(), x.g.base.view.Load()
	left := 0
	for slot := range x.live.All() {
		for _, link := range rows.row(slot) {
			if link == 0 {
				break
			}
			s := link - 1
			kept := nodes.row(s)[nodeAnchor] == slot+1 && nodes.row(s)[nodeChildren] != closed || nodes.row(slot)[nodeAnchor] == s+1
			require.True(t, x.live.Has(s) || kept, "slot %d leads to the dead %d", slot, s)
			if !x.live.Has(s) {
				left++
			}
		}
	}
	require.Less(t, left, 50, "links to the dead that the tree of anchors needs")
	again, err := x.Repair(ctx)
	require.NoError(t, err)
	require.Zero(t, again)
	require.Greater(t, meanRecall(t, x, queries, 10, 64), 0.98)
}

func TestDeadSlotsAreWalkedThroughAndNeverReturned(t *testing.T) {
	base := clustered(25, 2_000, 8)
	x := newIndex(t, Config{Dim: 8}, base, 2)
	live, filter := new(bitmap.Set), make(bitmap.Words, 2_000/64+1)
	for slot := range uint32(2_000) {
		if slot%10 == 0 {
			live.Add(slot)
		}
		if slot%20 == 0 {
			filter.Add(slot)
		}
	}
	var q kernel.Query
	for i := range 50 {
		q.Set(L2, base[i])
		got, err := x.g.Search(ctx, &q, 10, 32, live, filter, nil)
		require.NoError(t, err)
		require.Len(t, got, 10)
		for _, c := range got {
			require.True(t, live.Has(c.Slot) && filter.Has(c.Slot))
		}
	}
}

func TestSnapshotTakenBesideInsertsIsWhole(t *testing.T) {
	base := clustered(26, 2_500, 10)
	x := newIndex(t, Config{Dim: 10}, base[:500], 1)
	var stop atomic.Bool
	var team sync.WaitGroup
	team.Go(func() {
		for _, v := range base[500:] {
			if stop.Load() {
				return
			}
			_, err := x.Add(v)
			require.NoError(t, err)
		}
	})
	for range 5 {
		var b bytes.Buffer
		saved, err := x.g.Save(&b, [16]byte{1})
		require.NoError(t, err)
		require.NoError(t, Check(b.Bytes(), [16]byte{1}, saved.CRC))
		g, err := Load(b.Bytes(), [16]byte{1}, saved.CRC, x.g.cfg, x.rows)
		require.NoError(t, err)
		require.Equal(t, saved.Slots, g.Len())
		require.Empty(t, g.Unreachable(nil))
	}
	stop.Store(true)
	team.Wait()
}

func TestLinkBringsBackWhatWasLost(t *testing.T) {
	x := newIndex(t, Config{Dim: 8}, clustered(27, 1_200, 8), 1)
	g := x.g
	victim := uint32(700)
	for slot := range g.in.All() { // as damage would: every link to it becomes a hole
		row := g.base.row(slot)
		for i, link := range row {
			if link == victim+1 {
				row[i] = slot + 1
			}
		}
	}
	require.Contains(t, g.Unreachable(nil), victim)
	_, err := g.Link(ctx, victim, 64, nil)
	require.NoError(t, err)
	require.NotContains(t, g.Unreachable(nil), victim)
	require.True(t, g.Finds(victim, 64))
}
