package tarn_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

// graphFile returns the name of the only graph file of collection "test".
func graphFile(t testing.TB, path string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(path, "collections", "test", "graph-*.snap"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	return found[0]
}

func TestC11_ALargeGraphFileWithOneWrongBitIsDroppedInTheBackgroundAndAnswersStayExact(t *testing.T) {
	dropped := make(chan struct{}, 1)
	w := newWorld(t, tarn.CollectionConfig{Dim: dim, Index: tarn.IndexConfig{M: 256, EfConstruction: 256}}, graphOnly)
	w.upsert(t, points(w.r, 1, 2200, dim)...)
	eventually(t, "the delta is empty", func() bool { return w.c.Stats().InDelta == 0 })
	require.NoError(t, w.db.Close())
	name := graphFile(t, w.path)
	size, err := os.Stat(name)
	require.NoError(t, err)
	require.Greater(t, size.Size(), int64(4<<20), "Open checks smaller ones itself")
	flipByte(t, name, 300_000) // a link

	w.opts = tarn.WithKnobs(collection.Knobs{ExactThreshold: -1, PauseIndexer: true, NoBackground: true, Hook: func(step string) {
		if step == "snapshot: dropped" {
			dropped <- struct{}{}
		}
	}})
	w.c, w.db = openCollection(t, w.path, w.opts)
	<-dropped
	require.Equal(t, 2200, w.c.Stats().InDelta)
	w.check(t)
	r, err := w.db.Verify(ctx)
	require.NoError(t, err)
	require.Len(t, r.Findings, 1)
	require.Equal(t, filepath.Base(name), filepath.Base(r.Findings[0].File))
	w.upsert(t, points(w.r, 5000, 1, dim)...)
	require.NoError(t, w.c.Checkpoint(ctx)) // names it no more
	_, err = os.Stat(name)
	require.ErrorIs(t, err, os.ErrNotExist)
	requireSound(t, w.db)

	w.opts = tarn.WithKnobs(graphOnly)
	w.reopen(t)
	eventually(t, "the graph is built again", func() bool { return w.c.Stats().InDelta == 0 })
	w.reopen(t)
	require.Zero(t, w.c.Stats().InDelta)
	w.check(t)
	requireSound(t, w.db)
}

func TestC11_AGraphFileThatIsNotUsedIsNotNamedAgain(t *testing.T) {
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, NoBackground: true})
	w.upsert(t, points(w.r, 1, 100, dim)...)
	eventually(t, "the delta is empty", func() bool { return w.c.Stats().InDelta == 0 })
	require.NoError(t, w.db.Close())
	name := graphFile(t, w.path)
	flipByte(t, name, 5000)
	w.c, w.db = openCollection(t, w.path, w.opts)
	w.check(t)
	w.upsert(t, points(w.r, 200, 1, dim)...)
	require.NoError(t, w.c.Checkpoint(ctx))
	_, err := os.Stat(name)
	require.ErrorIs(t, err, os.ErrNotExist)
	requireSound(t, w.db)
	w.reopen(t)
	w.check(t)
}
