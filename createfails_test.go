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
