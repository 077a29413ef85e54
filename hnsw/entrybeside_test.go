package hnsw

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/kernel"
)

// risen is a source whose next Check, once it is armed, lets somebody else insert a slot
// that becomes the entry point and lies in a chunk of its own.
type risen struct {
	*memory
	do func()
}

func (r *risen) Check([]uint32) error {
	if do := r.do; do != nil {
		r.do = nil
		do()
	}
	return nil
}

// entryBeside returns a graph of slots 0 to n-1, all but equal, and arms its source.
func entryBeside(t *testing.T, n uint32) (*Graph, *risen) {
	cfg := Config{Dim: 2, M: 4}
	base := make([][]float32, 1<<16)
	for i := range base {
		base[i] = []float32{1, 2 + float32(i)*1e-6}
	}
	src := &risen{memory: newMemory(cfg, base)}
	g, err := New(cfg, src)
	require.NoError(t, err)
	for slot := range n {
		require.NoError(t, g.Insert(ctx, slot))
	}
	_, top, _ := g.entry.load()
	high := uint32(g.base.view.Load().rows())
	for g.cfg.level(high) <= top {
		high++
	}
	require.Less(t, int(high), len(base))
	src.do = func() { require.NoError(t, g.Insert(ctx, high)) }
	return g, src
}

func TestASearchBesideAnEntryPointInANewChunkFindsWhatIsThere(t *testing.T) {
	g, src := entryBeside(t, 200)
	var q kernel.Query
	q.Set(kernel.L2, src.vecs.Float32s(100, 2))
	got, err := g.Search(ctx, &q, 5, 64, nil, nil, nil)
	require.NoError(t, err)
	require.Nil(t, src.do, "the entry point has changed meanwhile")
	require.Len(t, got, 5)
	require.EqualValues(t, 100, got[0].Slot)
}

func TestAnInsertBesideAnEntryPointInANewChunkIsNoError(t *testing.T) {
	g, src := entryBeside(t, 200)
	require.NoError(t, g.Insert(ctx, 200))
	require.Nil(t, src.do, "the entry point has changed meanwhile")
	require.True(t, g.Contains(200))
}
