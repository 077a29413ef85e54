package tarn_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
	"github.com/tarndb/tarn/internal/vfs"
)

// newer makes the file's header that of the next version, with its checksum right.
func newer(t *testing.T, name string) (ok bool) {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	at := bytes.Index(data, []byte("TARN"))
	if filepath.Ext(name) == ".wal" {
		at = 0
	}
	if at != 0 || len(data) < 48 {
		return false // bbolt's own: what is in it is tested in internal/meta
	}
	table := crc32.MakeTable(crc32.Castagnoli)
	binary.LittleEndian.PutUint32(data[8:], 2)
	binary.LittleEndian.PutUint32(data[44:], crc32.Checksum(data[:44], table))
	put(t, name, data)
	return true
}

func TestC15_AFileOfANewerVersionIsNamedAndNothingIsWritten(t *testing.T) {
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, ChunkSlots: 64})
	w.upsert(t, points(w.r, 1, 100, dim)...)
	eventually(t, "the delta is empty", func() bool { return w.c.Stats().InDelta == 0 })
	require.NoError(t, w.db.Close())
	tried := 0
	require.NoError(t, filepath.WalkDir(w.path, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || filepath.Ext(name) == ".copy" { // the copy is read by a repair
			return err
		}
		rel, err := filepath.Rel(w.path, name)
		require.NoError(t, err)
		copied := crashCopy(t, w.path)
		if !newer(t, filepath.Join(copied, rel)) {
			return nil
		}
		tried++
		before := tree(t, copied)
		db, err := tarn.Open(copied, &tarn.Options{ReadOnly: true})
		if filepath.Ext(name) == ".snap" { // derived: built again
			require.NoError(t, err)
			require.NoError(t, db.Close())
			return nil
		}
		require.ErrorIs(t, err, tarn.ErrVersion, rel)
		require.ErrorContains(t, err, "version 2, this program reads up to 1")
		_, err = tarn.Open(copied, nil)
		require.ErrorIs(t, err, tarn.ErrVersion, rel)
		require.Equal(t, before, tree(t, copied), rel)
		return nil
	}))
	require.GreaterOrEqual(t, tried, 6)
}

func TestC18_LeftoversAndStrangersAreCleanedUpOrLeftAloneAndNeverRead(t *testing.T) {
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, graphOnly)
	w.upsert(t, points(w.r, 1, 50, dim)...)
	require.NoError(t, w.db.Close())
	home := filepath.Join(w.path, "collections")
	folder := filepath.Join(home, "test")
	cleaned := []string{filepath.Join(folder, "graph-9.snap"), filepath.Join(folder, "graph-9.snap.tmp"), filepath.Join(folder, "meta.copy.tmp"),
		filepath.Join(folder, "wal", "next.tmp"), filepath.Join(home, ".new-other"), filepath.Join(home, ".drop-other")}
	left := []string{filepath.Join(folder, "notes.txt"), filepath.Join(folder, ".hidden"), filepath.Join(folder, "wal", "0000000000000009.wal.repair"),
		filepath.Join(folder, "slots", "readme"), filepath.Join(home, "UPPER"), filepath.Join(home, "file"), filepath.Join(w.path, "README")}
	for _, name := range append(cleaned, left...) {
		put(t, name, []byte("whatever"))
	}
	require.NoError(t, os.Mkdir(filepath.Join(home, ".hidden"), 0o700))
	w.c, w.db = openCollection(t, w.path, w.opts)
	require.Equal(t, []string{"test"}, w.db.Collections())
	w.check(t)
	requireSound(t, w.db)
	require.NoError(t, w.db.Close())
	for _, name := range cleaned {
		require.NoFileExists(t, name)
	}
	for _, name := range left {
		require.FileExists(t, name)
	}
}

func TestC19_FilesOfDifferentMomentsAreRefusedOrFit(t *testing.T) {
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, ChunkSlots: 64, LogSegment: 8 << 10, SnapshotChange: 10})
	w.upsert(t, points(w.r, 1, 100, dim)...)
	require.NoError(t, w.c.Checkpoint(ctx))
	early := crashCopy(t, w.path)
	for range 6 { // slots die, are freed and written again
		w.upsert(t, points(w.r, 1, 60, dim)...)
		w.delete(t, w.ids(10)...)
		require.NoError(t, w.c.Checkpoint(ctx))
	}
	require.NoError(t, w.db.Close())
	late := w.path
	refused := 0
	for _, part := range []string{"meta.db", "slots", "wal"} {
		for from, to := range map[string]string{early: late, late: early} {
			mixed := crashCopy(t, to)
			target := filepath.Join(mixed, "collections", "test", part)
			require.NoError(t, os.RemoveAll(target))
			source := filepath.Join(from, "collections", "test", part)
			if part == "meta.db" {
				data, err := os.ReadFile(source)
				require.NoError(t, err)
				put(t, target, data)
			} else {
				require.NoError(t, os.CopyFS(target, os.DirFS(source)))
			}
			db, err := tarn.Open(mixed, nil)
			if err != nil {
				require.ErrorIs(t, err, tarn.ErrCorrupt, "%s", part)
				refused++
				continue
			}
			c, err := db.Collection("test")
			require.NoError(t, err)
			for p, err := range c.All(ctx) { // it fits: then every point is one that was written
				require.NoError(t, err)
				require.Len(t, p.Vector, dim)
			}
			requireSound(t, db)
			require.NoError(t, db.Close())
		}
	}
	require.GreaterOrEqual(t, refused, 4)
}

func TestC20_LinksInThePlaceOfFilesAndFoldersAreRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need rights there")
	}
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ChunkSlots: 64})
	w.upsert(t, points(w.r, 1, 20, dim)...)
	require.NoError(t, w.db.Close())
	for _, part := range []string{"collections", "collections/test/wal", "collections/test/slots", "collections/test/meta.db", "tarn.db",
		"collections/test/slots/00000000.vec"} {
		copied, outside := crashCopy(t, w.path), filepath.Join(t.TempDir(), "outside")
		name := filepath.Join(copied, filepath.FromSlash(part))
		require.NoError(t, os.Rename(name, outside))
		require.NoError(t, os.Symlink(outside, name))
		_, err := tarn.Open(copied, nil)
		require.Error(t, err, part)
		entry, err := os.Lstat(name)
		require.NoError(t, err)
		require.NotZero(t, entry.Mode()&fs.ModeSymlink, part)
	}
	copied, outside := crashCopy(t, w.path), filepath.Join(t.TempDir(), "outside")
	require.NoError(t, os.Rename(filepath.Join(copied, "collections", "test"), outside))
	require.NoError(t, os.Symlink(outside, filepath.Join(copied, "collections", "test")))
	db, err := tarn.Open(copied, nil)
	if err == nil {
		require.Empty(t, db.Collections(), "a link is no collection")
		require.NoError(t, db.Close())
	}
}

func TestB07_SlotFilesCutUnderAnOpenStoreAreDamageNotTheEnd(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a mapped file cannot be cut there")
	}
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, ChunkSlots: 64})
	w.upsert(t, points(w.r, 1, 200, dim)...)
	w.reopen(t)
	for _, file := range []string{"00000001.vec", "00000001.side", "00000001.code"} {
		require.NoError(t, os.Truncate(filepath.Join(w.path, "collections", "test", "slots", file), 0))
	}
	damaged := 0
	for id := range w.have {
		if _, err := w.c.Get(ctx, id); err != nil {
			require.ErrorIs(t, err, tarn.ErrCorrupt)
			damaged++
		}
		if _, err := w.c.Search(ctx, w.have[id].Vector, 3, tarn.WithExact()); err != nil {
			require.ErrorIs(t, err, tarn.ErrCorrupt)
		}
	}
	require.Greater(t, damaged, 0)
	r, err := w.db.Verify(ctx)
	require.NoError(t, err)
	require.NotEmpty(t, r.Findings)
	if err := w.db.Close(); err != nil { // the indexer met it too
		require.ErrorIs(t, err, tarn.ErrCorrupt)
	}
}

func TestB12_WhileAnFsyncTakesLongSearchesGoOnAndTheStreamIsBounded(t *testing.T) {
	mem := vfs.NewMem()
	in := vfs.NewInject(mem)
	c, db := openMem(t, in, smallFiles)
	s, err := c.EnableStreaming(ctx, tarn.StreamingConfig{BufferSize: 32, BatchSize: 8, FlushInterval: 1})
	require.NoError(t, err)
	ps := points(newRand(2), 1, 10, dim)
	require.NoError(t, c.Upsert(ctx, ps...))
	gate, began := make(chan struct{}), make(chan struct{}, 1000)
	in.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpSyncData}, Hit: func(vfs.Call, int) {
		began <- struct{}{}
		<-gate
	}})
	accepted, refused := 0, 0
	for id := uint64(100); refused < 50; id++ {
		_, err := s.TrySend(points(newRand(id), id, 1, dim)[0])
		if err == nil {
			accepted++
			require.Less(t, accepted, 200, "the queue is not bounded")
			continue
		}
		require.ErrorIs(t, err, tarn.ErrBufferFull)
		refused++
		require.LessOrEqual(t, s.Stats().Queued, 32)
		near, err := c.Search(ctx, ps[0].Vector, 1) // nobody waits for the disk to answer
		require.NoError(t, err)
		require.Equal(t, ps[0].ID, near[0].ID)
	}
	<-began
	close(gate)
	require.NoError(t, s.Flush(soon(t)))
	require.Equal(t, 10+accepted, c.Len())
	require.NoError(t, db.Close())
}
