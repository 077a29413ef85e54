package hnsw

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
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
