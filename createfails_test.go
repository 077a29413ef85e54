package tarn_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/internal/vfs"
)

// A create that failed was told to have failed: its name is free, here and after Open.
func TestB02_ACreateWhoseFsyncOfTheFolderFailsLeavesTheNameFree(t *testing.T) {
	dir := t.TempDir()
	db, disk, err := tarn.OpenInjected(dir, nil)
	require.NoError(t, err)
	cfg := tarn.CollectionConfig{Dim: 1}
	disk.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpSyncDir}, Glob: "collections", Count: 1, Err: errors.New("injected")})
	_, err = db.CreateCollection(ctx, "a", cfg)
	require.ErrorIs(t, err, tarn.ErrFailed)
	_, err = db.CreateCollection(ctx, "b", cfg)
	require.NoError(t, err)
	require.NoError(t, db.Close())

	db, disk, err = tarn.OpenInjected(dir, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, db.Collections())
	disk.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpSyncDir}, Glob: "collections", Count: 1, Err: errors.New("injected")})
	_, err = db.CreateCollection(ctx, "a", cfg)
	require.ErrorIs(t, err, tarn.ErrFailed)
	_, err = db.CreateCollection(ctx, "a", cfg)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

// A drop that could not move the folder is asked for again: the collection is there
// until one has.
func TestB02_ADropWhoseRenameFailsCanBeAskedForAgain(t *testing.T) {
	dir := t.TempDir()
	db, disk, err := tarn.OpenInjected(dir, nil)
	require.NoError(t, err)
	cfg := tarn.CollectionConfig{Dim: 1}
	c, err := db.CreateCollection(ctx, "a", cfg)
	require.NoError(t, err)
	injected := errors.New("injected")
	disk.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpRename}, Glob: "collections/a", Count: 1, Err: injected})
	require.ErrorIs(t, db.DropCollection(ctx, "a"), injected)
	require.Equal(t, []string{"a"}, db.Collections())
	_, err = db.CreateCollection(ctx, "a", cfg)
	require.ErrorIs(t, err, tarn.ErrExists)
	require.ErrorIs(t, c.Sync(ctx), tarn.ErrClosed)

	require.NoError(t, db.DropCollection(ctx, "a"))
	_, err = db.CreateCollection(ctx, "a", cfg)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

// A drop that moved the folder and could not fsync has taken the collection out.
func TestB02_ADropWhoseFsyncOfTheFolderFailsLeavesTheNameFree(t *testing.T) {
	db, disk, err := tarn.OpenInjected(t.TempDir(), nil)
	require.NoError(t, err)
	cfg := tarn.CollectionConfig{Dim: 1}
	_, err = db.CreateCollection(ctx, "a", cfg)
	require.NoError(t, err)
	disk.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpSyncDir}, Glob: "collections", Count: 1, Err: errors.New("injected")})
	require.ErrorIs(t, db.DropCollection(ctx, "a"), tarn.ErrFailed)
	require.Empty(t, db.Collections())
	_, err = db.CreateCollection(ctx, "a", cfg)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}
