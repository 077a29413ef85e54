package hnsw

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/kernel"
)

// interrupted is a file during whose first block something else happens.
type interrupted struct {
	bytes.Buffer
	during func()
}

func (f *interrupted) Write(p []byte) (int, error) {
	if during := f.during; during != nil {
		f.during = nil
		during()
	}
	return f.Buffer.Write(p)
}

// TestASnapshotLeadsToNoSlotThatCameWhileItWasWritten has as many slots again come when
// one block is written: the rows of the later blocks lead to them.
func TestASnapshotLeadsToNoSlotThatCameWhileItWasWritten(t *testing.T) {
	const n = 1_000
	base := clustered(28, 2*n, 10)
	x := newIndex(t, Config{Dim: 10}, base[:n], 1)
	uuid, out := [16]byte{1}, &interrupted{}
	out.during = func() {
		_, err := x.AddAll(ctx, base[n:], 1)
		require.NoError(t, err)
	}
	saved, err := x.g.Save(out, uuid)
	require.NoError(t, err)
	require.Greater(t, out.Len(), 2*blockV1)
	require.Equal(t, n, saved.Slots)

	late := func(g *Graph) (links [2]int) { // on layer 0 and above
		v := g.base.view.Load()
		for slot := range uint32(n) {
			for _, link := range v.row(slot) {
				if link > n {
					links[0]++
				}
			}
		}
		v = g.upper.view.Load()
		for row := range g.uppers {
			for _, link := range v.row(row) {
				if link > n {
					links[1]++
				}
			}
		}
		return links
	}
	links := late(x.g)
	require.Greater(t, min(links[0], links[1]), 0, "there is something to cut")

	g, err := Load(out.Bytes(), uuid, saved.CRC, x.g.cfg, x.rows)
	require.NoError(t, err)
	require.Equal(t, [2]int{}, late(g))
	require.Equal(t, n, g.Len())
	require.Empty(t, g.Unreachable(nil))
	for slot := range uint32(n) {
		require.True(t, g.Finds(slot, 100), "slot %d", slot)
	}
	for slot := uint32(n); slot < 2*n; slot++ { // they come again
		require.NoError(t, g.Insert(ctx, slot))
	}
	require.Empty(t, g.Unreachable(nil))
}

// TestASnapshotIsWholeWhateverAnchorsChangeBesideIt has slots be given other anchors, and
// many inserts, when one block is written. Without care no row as it is written would
// lead to some of them: before in the one's, later in the other's.
func TestASnapshotIsWholeWhateverAnchorsChangeBesideIt(t *testing.T) {
	const n = 2_000
	for name, meanwhile := range map[string]func(x *Index){
		"a repair": func(x *Index) {
			_, err := x.Repair(ctx)
			require.NoError(t, err)
		},
		"slots linked anew": func(x *Index) { // to such whose rows were written
			w := x.g.acquire()
			defer x.g.release(w)
			x.g.linking.Lock()
			defer x.g.linking.Unlock()
			for slot := uint32(n / 2); slot < n; slot++ {
				w.build.picks[0] = append(w.build.picks[0][:0], kernel.Candidate{Slot: slot - n/2})
				x.g.adopt(w, slot)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			base := clustered(104, 2*n, 10)
			x := newIndex(t, Config{Dim: 10, M: 2}, base[:n], 1)
			out := &interrupted{during: func() {
				for slot := uint32(0); slot < n; slot += 2 {
					x.Delete(slot)
				}
				meanwhile(x)
				_, err := x.AddAll(ctx, base[n:], 1)
				require.NoError(t, err)
			}}
			saved, err := x.g.Save(out, [16]byte{1})
			require.NoError(t, err)
			require.Equal(t, n, saved.Slots)
			g, err := Load(out.Bytes(), [16]byte{1}, saved.CRC, x.g.cfg, x.rows)
			require.NoError(t, err)
			require.Empty(t, g.Unreachable(nil))
			requireWhole(t, x.g, &x.live)
			closed := closedOf(x.g)
			_, err = x.Repair(ctx)
			require.NoError(t, err)
			require.Greater(t, closedOf(x.g), closed+n/4, "what was left to it")
			requireWhole(t, x.g, &x.live)
		})
	}
}

func closedOf(g *Graph) (count int) {
	nodes := g.nodes.view.Load()
	for slot := range g.in.All() {
		if nodes.row(slot)[nodeChildren] == closed {
			count++
		}
	}
	return count
}
