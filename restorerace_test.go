package tarn_test

import (
	"bytes"
	"io"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/internal/vfs"
)

// haltingReader gives what it has, says that it waits, and waits.
type haltingReader struct {
	r       io.Reader
	waiting chan struct{}
	goOn    chan struct{}
}

func (h *haltingReader) Read(b []byte) (int, error) {
	if n, err := h.r.Read(b); err == nil {
		return n, nil
	}
	close(h.waiting)
	<-h.goOn
	return 0, io.ErrUnexpectedEOF
}

// hooked returns the folder with a hook before its operations of a kind.
func hooked(t *testing.T, dir string, op vfs.Op, hook func()) vfs.FS {
	t.Helper()
	disk, err := vfs.OS(dir)
	require.NoError(t, err)
	in := vfs.NewInject(disk, &vfs.Fault{})
	in.Clear()
	once := false
	in.Before(func(c vfs.Call) {
		if c.Op == op && !once && (op != vfs.OpRename || c.NewName == "copy") {
			once = true
			hook()
		}
	})
	t.Cleanup(func() { require.NoError(t, in.Close()) })
	return in
}

// requireWhole asserts that the store at path holds all of everyBlock.
func requireWhole(t *testing.T, path string) {
	t.Helper()
	db, err := tarn.Open(path, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"test", "test-2"}, db.Collections())
	c, err := db.Collection("test")
	require.NoError(t, err)
	require.Equal(t, 11, c.Len())
	requireSound(t, db)
	require.NoError(t, db.Close())
}

// Of two restores to one path the second comes between the first's last check and its
// rename: it may not empty what is about to get its name.
func TestARestoreThatIsAboutToEndIsNotEmptiedByASecond(t *testing.T) {
	data, dir := everyBlock(t), t.TempDir()
	second := &haltingReader{r: bytes.NewReader(data[:len(data)/2]), waiting: make(chan struct{}), goOn: make(chan struct{})}
	ended := make(chan error, 1)
	first := hooked(t, dir, vfs.OpRename, func() {
		go func() {
			disk, err := vfs.OS(dir)
			if err == nil {
				err = tarn.RestoreInjected(ctx, disk, "copy", second)
				_ = disk.Close()
			}
			ended <- err
		}()
		select {
		case <-second.waiting: // it is in the midst of its work
		case err := <-ended:
			ended <- err
		}
	})
	require.NoError(t, tarn.RestoreInjected(ctx, first, "copy", bytes.NewReader(data)))
	close(second.goOn)
	require.ErrorIs(t, <-ended, tarn.ErrLocked)
	requireWhole(t, filepath.Join(dir, "copy"))
}

// The second has opened the folder when the first ends: what it locks then has its
// name already.
func TestARestoreThatHasEndedIsNotEmptiedByASecond(t *testing.T) {
	data, dir := everyBlock(t), t.TempDir()
	require.NoError(t, vfsMkdir(dir, "copy.restoring"))
	second := hooked(t, dir, vfs.OpLock, func() {
		require.NoError(t, tarn.Restore(ctx, filepath.Join(dir, "copy"), bytes.NewReader(data)))
	})
	require.ErrorIs(t, tarn.RestoreInjected(ctx, second, "copy", bytes.NewReader(data)), tarn.ErrLocked)
	requireWhole(t, filepath.Join(dir, "copy"))

	// And where a third has begun anew under that name, it is left alone.
	third := &haltingReader{r: bytes.NewReader(data[:len(data)/2]), waiting: make(chan struct{}), goOn: make(chan struct{})}
	ended := make(chan error, 1)
	require.NoError(t, vfsMkdir(dir, "other.restoring"))
	second = hooked(t, dir, vfs.OpLock, func() {
		disk, err := vfs.OS(dir)
		require.NoError(t, err)
		require.NoError(t, disk.RemoveAll("other.restoring"))
		go func() {
			ended <- tarn.RestoreInjected(ctx, disk, "other", third)
			_ = disk.Close()
		}()
		<-third.waiting
	})
	err := tarn.RestoreInjected(ctx, second, "other", bytes.NewReader(data))
	require.Error(t, err)
	require.DirExists(t, filepath.Join(dir, "other.restoring"))
	close(third.goOn)
	require.ErrorIs(t, <-ended, tarn.ErrCorrupt)
}

// An empty folder of that name, which a rename would replace, has come meanwhile.
func TestARestoreReplacesNoFolderThatCameWhileItRan(t *testing.T) {
	data, dir := everyBlock(t), t.TempDir()
	disk := hooked(t, dir, vfs.OpLock, func() { require.NoError(t, vfsMkdir(dir, "copy")) })
	require.ErrorIs(t, tarn.RestoreInjected(ctx, disk, "copy", bytes.NewReader(data)), tarn.ErrExists)
	require.DirExists(t, filepath.Join(dir, "copy"))
	require.NoDirExists(t, filepath.Join(dir, "copy.restoring"))
}

func vfsMkdir(dir, name string) error {
	disk, err := vfs.OS(dir)
	if err != nil {
		return err
	}
	defer disk.Close()
	return disk.Mkdir(name)
}
