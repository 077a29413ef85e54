package tarn_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

// TestB14_AStoreWhoseFolderIsRenamedWhileItIsOpenGoesOn renames the folder of an open
// store, puts another into its place, and has it do everything that opens, makes,
// renames or removes a file.
func TestB14_AStoreWhoseFolderIsRenamedWhileItIsOpenGoesOn(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a folder with open files cannot be renamed there")
	}
	w := newWorld(t, tarn.CollectionConfig{Dim: dim, Streaming: quick},
		collection.Knobs{ExactThreshold: -1, ChunkSlots: 64, LogSegment: 64 << 10, SnapshotChange: 10})
	w.upsert(t, points(w.r, 1, 300, dim)...)
	moved := filepath.Join(filepath.Dir(w.path), "moved")
	require.NoError(t, os.Rename(w.path, moved))
	require.NoError(t, os.CopyFS(w.path, os.DirFS(moved))) // another store comes into its place
	before := tree(t, w.path)

	w.upsert(t, points(w.r, 200, 800, dim)...) // new slot files and log segments
	w.delete(t, w.ids(200)...)
	require.NoError(t, w.c.Checkpoint(ctx))
	require.NoError(t, w.c.Rebuild(ctx, tarn.IndexConfig{}))
	require.NoError(t, w.c.Compact(ctx))
	other, err := w.db.CreateCollection(ctx, "other", tarn.CollectionConfig{Dim: 2})
	require.NoError(t, err)
	require.NoError(t, other.Upsert(ctx, tarn.Point{ID: 1, Vector: []float32{1, 2}}))
	require.NoError(t, w.db.DropCollection(ctx, "other"))
	require.NotEmpty(t, backup(t, w.db))
	w.check(t)
	require.Equal(t, before, tree(t, w.path), "what stands where it was is not touched")

	w.path = moved
	w.reopen(t)
	w.check(t)
}

// TestD22_AProcessThatIsStartedMeanwhileHoldsNothingOfTheStore starts one while a
// store is open. If it inherited a descriptor it would hold the lock as long as it runs.
func TestD22_AProcessThatIsStartedMeanwhileHoldsNothingOfTheStore(t *testing.T) {
	c, db, path := newCollection(t, tarn.CollectionConfig{Dim: dim}, nil)
	require.NoError(t, c.Upsert(ctx, points(newRand(1), 1, 50, dim)...))
	require.NoError(t, c.Checkpoint(ctx))
	child, lines := startChild(t, "hold", filepath.Join(t.TempDir(), "another"))
	require.True(t, lines.Scan())
	require.Equal(t, "open", lines.Text())
	if runtime.GOOS == "linux" {
		fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", child.Process.Pid))
		require.NoError(t, err)
		require.NotEmpty(t, fds)
		for _, fd := range fds {
			file, err := os.Readlink(fd)
			require.NoError(t, err)
			require.NotContains(t, file, path)
		}
	}
	require.NoError(t, db.Close())
	c, _ = openCollection(t, path, nil)
	require.Equal(t, 50, c.Len())
}
