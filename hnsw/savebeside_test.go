package hnsw

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/kernel"
)

// TestASnapshotCountsNoChildrenThatCameWhileItWasWritten has so many that they are the
// children of most slots: counted in, these would never be closed once they are dead.
func TestASnapshotCountsNoChildrenThatCameWhileItWasWritten(t *testing.T) {
	const n = 1_000
	base := clustered(31, 2*n, 10)
	x := newIndex(t, Config{Dim: 10, M: 4}, base[:n], 1)
	for slot := uint32(0); slot < n; slot += 7 {
		x.Delete(slot)
	}
	w := x.g.acquire()
	require.NoError(t, x.g.bury(ctx, w, &x.live)) // some are closed, and links lead to them yet
	x.g.release(w)
	before := closedOf(x.g)
	require.Positive(t, before)
	out := &interrupted{during: func() {
		_, err := x.AddAll(ctx, base[n:], 1)
		require.NoError(t, err)
	}}
	saved, err := x.g.Save(out, [16]byte{1})
	require.NoError(t, err)
	g, err := Load(out.Bytes(), [16]byte{1}, saved.CRC, x.g.cfg, x.rows)
	require.NoError(t, err)
	require.Equal(t, n, g.Len())
	require.Equal(t, before, closedOf(g), "they stay closed")
	requireWhole(t, g, &x.live)
	nodes := g.nodes.view.Load()
	children := make([]uint32, n)
	for slot := range g.in.All() {
		if anchor := nodes.row(slot)[nodeAnchor] - 1; anchor != slot && nodes.row(slot)[nodeChildren] != closed {
			children[anchor]++
		}
	}
	for slot := range g.in.All() {
		if have := nodes.row(slot)[nodeChildren]; have != closed {
			require.Equal(t, children[slot], have, "slot %d", slot)
		}
	}
}

// TestASnapshotHoldsNothingThatHangsFromAnInsertUnderWay has the insert of one slot stand
// between its links and its end, which is when another has come below it.
func TestASnapshotHoldsNothingThatHangsFromAnInsertUnderWay(t *testing.T) {
	const n = 300
	for name, entry := range map[string]bool{"any slot": false, "the entry point": true} {
		t.Run(name, func(t *testing.T) {
			x := newIndex(t, Config{Dim: 10}, clustered(32, n, 10), 1)
			g := x.g
			nodes, rows := g.nodes.view.Load(), g.base.view.Load()
			anchor := func(slot uint32) uint32 { return nodes.row(slot)[nodeAnchor] - 1 }
			var first, upper, lower uint32 // by their anchors: first hangs from lower, lower from upper
			for lower = n - 1; nodes.row(lower)[nodeChildren] > 0 || anchor(anchor(lower)) == anchor(lower); lower-- {
			}
			upper = anchor(lower)
			for first = 0; nodes.row(first)[nodeChildren] > 0 || first == lower; first++ {
			}
			require.Less(t, first, lower)
			w := g.acquire()
			w.build.picks = append(w.build.picks[:0], []kernel.Candidate{{Slot: lower}})
			g.linking.Lock()
			g.adopt(w, first)
			g.linking.Unlock()
			g.release(w)
			require.Equal(t, lower, anchor(first))
			for slot := range uint32(n) { // nothing else leads to them
				row := rows.row(slot)
				for i := range row {
					if slot != upper && row[i] == lower+1 || slot != lower && row[i] == first+1 {
						row[i] = slot + 1
					}
				}
			}
			if entry {
				g.entry.store(first, 0)
			} else {
				g.entry.store(anchor(upper), 0)
			}
			g.in.Remove(upper)
			out := new(interrupted)
			saved, err := g.Save(out, [16]byte{1})
			require.NoError(t, err)
			g.in.Add(upper)
			loaded, err := Load(out.Bytes(), [16]byte{1}, saved.CRC, g.cfg, x.rows)
			require.NoError(t, err)
			require.False(t, loaded.Contains(lower) || loaded.Contains(first))
			require.Greater(t, loaded.Len(), n/2)
			requireWhole(t, loaded, nil)
			for slot := range uint32(n) { // they come again
				require.NoError(t, loaded.Insert(ctx, slot))
			}
			requireWhole(t, loaded, nil)
		})
	}
}

// TestTwoSlotsOfASnapshotShareNoUpperRow has slots become hubs as Save looks for hubs, which
// makes them hubs of the snapshot, and as it writes, which does not. Neither may have rows
// that the snapshot does not count.
func TestTwoSlotsOfASnapshotShareNoUpperRow(t *testing.T) {
	const n = 1_000
	base := clustered(35, 2*n, 10)
	x := newIndex(t, Config{Dim: 10}, base[:n], 1)
	promote := func(slots ...uint32) {
		w := x.g.acquire()
		defer x.g.release(w)
		for _, slot := range slots {
			_, _, err := w.choose(ctx, x.g, slot, 0)
			require.NoError(t, err)
			require.NoError(t, x.g.promote(ctx, w, slot))
		}
	}
	var low []uint32 // slots without upper rows
	for slot := uint32(n - 1); len(low) < 6; slot-- {
		if x.g.nodes.row(slot)[nodeUpper] == 0 {
			low = append(low, slot)
		}
	}
	x.g.counting = func() { promote(low[:3]...) }
	out := &interrupted{during: func() { promote(low[3:]...) }}
	saved, err := x.g.Save(out, [16]byte{1})
	require.NoError(t, err)
	_, err = x.AddAll(ctx, base[n:], 1)
	require.NoError(t, err)

	g, err := Load(out.Bytes(), [16]byte{1}, saved.CRC, x.g.cfg, x.rows)
	require.NoError(t, err)
	for i, slot := range low {
		require.NotZero(t, x.g.nodes.row(slot)[nodeUpper])
		require.Equal(t, i < 3, g.nodes.row(slot)[nodeUpper] != 0, "slot %d", slot)
	}
	for slot := uint32(n); slot < 2*n; slot++ {
		require.NoError(t, g.Insert(ctx, slot))
	}
	owner := map[uint32]uint32{}
	for slot := range g.in.All() {
		first := g.nodes.row(slot)[nodeUpper]
		for row := first; first != 0 && row < first+uint32(max(1, g.cfg.level(slot))); row++ {
			require.LessOrEqual(t, row, g.uppers)
			other, taken := owner[row]
			require.False(t, taken, "slots %d and %d have row %d", other, slot, row)
			owner[row] = slot
		}
	}
	require.Len(t, owner, int(g.uppers), "none is lost either")
}

// TestASnapshotThatFailsLeavesAnchorsFree fails, and panics, as its first block is written.
func TestASnapshotThatFailsLeavesAnchorsFree(t *testing.T) {
	x := newIndex(t, Config{Dim: 10}, clustered(34, 300, 10), 1)
	boom := errors.New("boom")
	_, err := x.g.Save(writerFunc(func([]byte) (int, error) { return 0, boom }), [16]byte{1})
	require.ErrorIs(t, err, boom)
	require.Zero(t, x.g.saving)
	require.PanicsWithValue(t, boom, func() {
		_, _ = x.g.Save(writerFunc(func([]byte) (int, error) { panic(boom) }), [16]byte{1})
	})
	require.Zero(t, x.g.saving)
	for slot := uint32(0); slot < 300; slot += 2 {
		x.Delete(slot)
	}
	_, err = x.Repair(ctx)
	require.NoError(t, err)
	require.Positive(t, closedOf(x.g))
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
