package tarn_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/internal/vfs"
)

// growing are the operations that need room.
var growing = []vfs.Op{vfs.OpCreate, vfs.OpMkdir, vfs.OpWrite, vfs.OpAllocate, vfs.OpTruncate}

// Whichever of its operations finds the disk full, Restore says so and leaves nothing.
func TestB05_ARestoreThatFindsTheDiskFullLeavesNothing(t *testing.T) {
	data := everyBlock(t)
	dir := t.TempDir()
	failed, step := 0, unlessShort(1, 5)
	for n := 0; ; n += step {
		os, err := vfs.OS(dir)
		require.NoError(t, err)
		fault := &vfs.Fault{Ops: growing, Skip: n, Count: 1, Err: vfs.ErrNoSpace}
		disk := vfs.NewInject(os, fault)
		err = tarn.RestoreInjected(ctx, disk, "copy", bytes.NewReader(data))
		hit := disk.Hits(fault) > 0
		if err != nil {
			require.ErrorIs(t, err, tarn.ErrNoSpace, "operation %d", n)
			require.NotErrorIs(t, err, tarn.ErrCorrupt)
			left, err := disk.List(".")
			require.NoError(t, err)
			require.Empty(t, left, "operation %d", n)
			failed++
		}
		require.NoError(t, disk.Close())
		if !hit {
			require.NoError(t, err)
			break
		}
		if err == nil { // what can be done without is left out: the store is whole
			db, err := tarn.Open(filepath.Join(dir, "copy"), nil)
			require.NoError(t, err)
			requireSound(t, db)
			require.NoError(t, db.Close())
			disk, err := vfs.OS(dir)
			require.NoError(t, err)
			require.NoError(t, disk.RemoveAll("copy"))
			require.NoError(t, disk.Close())
		}
	}
	require.Greater(t, failed, 30/step)
	t.Logf("%d operations failed", failed)
}

// The disk becomes full at one of the operations of Compact, and stays so. What is
// there is found meanwhile; with room again everything goes on.
func TestB05_ACompactThatFindsTheDiskFullChangesNoAnswerAndIsFinishedByTheNext(t *testing.T) {
	failed := 0
	for n, hit := 0, true; hit; n += unlessShort(1, 3) {
		path := filepath.Join(t.TempDir(), "db")
		knobs := smallChunks
		knobs.NoBackground = true
		db, disk, err := tarn.OpenInjected(path, tarn.WithKnobs(knobs))
		require.NoError(t, err)
		c, err := db.CreateCollection(ctx, "test", tarn.CollectionConfig{Dim: 8})
		require.NoError(t, err)
		rest := thin(t, c, 400, 8)
		fault := &vfs.Fault{Ops: growing, Skip: n, Err: vfs.ErrNoSpace, When: func(c vfs.Call) bool {
			return c.Op != vfs.OpWrite || !strings.Contains(c.Name, "/slots/") // their blocks are there already
		}}
		disk.Add(fault)
		err = c.Compact(ctx)
		hit = disk.Hits(fault) > 0
		if err != nil {
			require.ErrorIs(t, err, tarn.ErrNoSpace, "operation %d", n)
			require.NotErrorIs(t, err, tarn.ErrFailed)
			failed++
		}
		requireRest(t, c, rest)
		if n%2 == 0 { // killed while it is full
			copied, db := openCollection(t, crashCopy(t, path), tarn.WithKnobs(smallChunks))
			requireRest(t, copied, rest)
			requireSound(t, db)
			require.NoError(t, db.Close())
		}
		disk.Clear()
		more := points(newRand(100+uint64(n)), 10_000, 5, 8)
		require.NoError(t, c.Upsert(ctx, more...), "operation %d: there is room again", n)
		rest = append(rest, more...)
		compactTo(t, c, path, 3)
		requireRest(t, c, rest)
		requireSound(t, db)
		require.NoError(t, db.Close())
		c, db = openCollection(t, path, tarn.WithKnobs(smallChunks))
		requireRest(t, c, rest)
		require.NoError(t, db.Close())
	}
	require.Greater(t, failed, 1)
	t.Logf("%d operations failed", failed)
}

// The same on a disk of the system's, which is full when Compact comes to a step.
func TestB05_BackupRestoreAndCompactOnAFullDisk(t *testing.T) {
	failed := 0
	for _, step := range []string{"", "compact: before moves", "compact: moved", "compact: after moves", "compact: before checkpoint", "compact: before files", "compact: before tables"} {
		for _, room := range []int{0, 24 << 10, 96 << 10} {
			if onAFullDisk(t, step, room) {
				failed++
			}
		}
	}
	require.Greater(t, failed, 5)
	t.Logf("Compact failed %d times", failed)
}

func onAFullDisk(t *testing.T, step string, room int) (compactFailed bool) {
	disk := smallDisk(t, 6<<20)
	full := filepath.Join(disk, "full")
	path := filepath.Join(disk, "db")
	s := newSteps()
	knobs := smallChunks
	knobs.Hook, knobs.NoBackground = s.hook, true
	db, err := tarn.Open(path, tarn.WithKnobs(knobs))
	require.NoError(t, err)
	c, err := db.CreateCollection(ctx, "test", tarn.CollectionConfig{Dim: 64})
	require.NoError(t, err)
	rest := thin(t, c, 1_000, 64)
	data := backup(t, db)
	fillDisk(t, full, 0)
	f, err := os.Create(filepath.Join(disk, "backup"))
	require.NoError(t, err)
	require.ErrorIs(t, db.Backup(ctx, f), unix.ENOSPC, "what the writer said")
	require.NoError(t, f.Close())
	require.NoError(t, os.Remove(f.Name()))
	require.NoError(t, os.Remove(full))
	fillDisk(t, full, room)
	if err := tarn.Restore(ctx, filepath.Join(disk, "copy"), bytes.NewReader(data)); err != nil {
		require.ErrorIs(t, err, tarn.ErrNoSpace)
		require.NotErrorIs(t, err, tarn.ErrCorrupt)
		require.NoDirExists(t, filepath.Join(disk, "copy"))
		require.NoDirExists(t, filepath.Join(disk, "copy.restoring"))
	} else {
		require.NoError(t, os.RemoveAll(filepath.Join(disk, "copy")))
	}
	if step != "" {
		require.NoError(t, os.Remove(full))
		s.call(step, func() { fillDisk(t, full, room) })
	}
	if err := c.Compact(ctx); err != nil {
		require.ErrorIs(t, err, tarn.ErrNoSpace, "full at %q, but for %d bytes", step, room)
		require.NotErrorIs(t, err, tarn.ErrFailed)
		compactFailed = true
	}
	s.call(step, nil)
	left, err := filepath.Glob(filepath.Join(path, "collections", "test", "*tmp*"))
	require.NoError(t, err)
	require.Empty(t, left, "full at %q", step)
	requireRest(t, c, rest)
	copied, copiedDB := openCollection(t, crashCopy(t, path), tarn.WithKnobs(smallChunks)) // killed while it is full
	requireRest(t, copied, rest)
	requireSound(t, copiedDB)
	require.NoError(t, copiedDB.Close())

	require.NoError(t, os.Remove(full))
	more := points(newRand(1), 10_000, 50, 64)
	require.NoError(t, c.Upsert(ctx, more...), "there is room again")
	rest = append(rest, more...)
	compactTo(t, c, path, len(rest)/64+1)
	requireRest(t, c, rest)
	requireSound(t, db)
	require.NoError(t, db.Close())
	c, db = openCollection(t, path, tarn.WithKnobs(smallChunks))
	requireRest(t, c, rest)
	require.NoError(t, db.Close())
	return compactFailed
}

// What a backup says of slots costs the disk no more than it accounts for: numbers that
// are only said are given anew, and those that contradict its counts are refused.
func TestABackupOfSlotsThatNobodyHasFillsNeitherDiskNorMemory(t *testing.T) {
	c, db, _ := newCollection(t, tarn.CollectionConfig{Dim: 4}, tarn.WithKnobs(graphOnly))
	all := points(newRand(1), 0, 4, 4)
	for i := range all {
		all[i].Payload = tarn.Payload{"n": int64(i)}
	}
	require.NoError(t, c.Upsert(ctx, all...))
	require.NoError(t, c.Rebuild(ctx, tarn.IndexConfig{}))
	_, err := c.Delete(ctx, all[1].ID) // its row stays, for the graph leads over it
	require.NoError(t, err)
	all = append(all[:1:1], all[2:]...)
	data := backup(t, db)
	const moment, rows = 4, 6
	le := binary.LittleEndian
	slot := func(a archived, row int) []byte { return a.at(rows)[8+32*row+16:] }
	for what, lie := range map[string]func(a archived){
		"as it was":            func(archived) {},
		"slots above the last": func(a archived) { le.PutUint32(a.at(moment)[8:], 4_000_000_000) },
		"a last slot of a high number": func(a archived) {
			le.PutUint32(a.at(moment)[8:], 4_000_000_000)
			le.PutUint32(slot(a, 3), 3_999_999_999)
		},
		"all slots of high numbers": func(a archived) {
			le.PutUint32(a.at(moment)[8:], 4_000_000_000)
			for row := range 4 {
				le.PutUint32(slot(a, row), 3_000_000_000+uint32(row)*1_000)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			a := takeApart(t, data)
			lie(a)
			bad := a.bytes(t)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			copied, path := restored(t, bad, tarn.WithKnobs(graphOnly))
			runtime.ReadMemStats(&after)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20))
			got, err := copied.Collection("test")
			require.NoError(t, err)
			requireRest(t, got, all)
			requireSound(t, copied)
			require.Less(t, got.Stats().DiskBytes, int64(20<<20))
			require.DirExists(t, path)
		})
	}
	for what, lie := range map[string]func(a archived){
		"a row for each of many slots, and then a gap": func(a archived) {
			le.PutUint32(a.at(moment)[8:], 4_000_000_000)
			le.PutUint32(a.at(moment)[12:], 4_000_000_000)
			le.PutUint32(slot(a, 3), 3_999_999_999)
		},
		"a gap that is longer than all": func(a archived) { // 5 slots, 4 rows
			le.PutUint32(a.at(moment)[8:], 1_000_000)
			le.PutUint32(a.at(moment)[12:], 999_999)
			le.PutUint32(slot(a, 3), 999_999)
		},
		"more rows than come": func(a archived) {
			le.PutUint32(a.at(moment)[8:], 4_000_000_000)
			le.PutUint32(a.at(moment)[12:], 2_000_000_000)
			le.PutUint32(slot(a, 3), 3_999_999_999)
		},
	} {
		t.Run(what, func(t *testing.T) {
			disk := smallDisk(t, 24<<20)
			a := takeApart(t, data)
			lie(a)
			err := tarn.Restore(ctx, filepath.Join(disk, "copy"), bytes.NewReader(a.bytes(t)))
			require.ErrorIs(t, err, tarn.ErrCorrupt)
			require.NotErrorIs(t, err, tarn.ErrNoSpace)
			left, err := os.ReadDir(disk)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

// The disk is full where Compact writes the checkpoint that ends earlier: Compact says
// so, and removes nothing that the last one that is durable still names.
func TestB05_ACheckpointThatFailsEndsCompactBeforeFilesAreRemoved(t *testing.T) {
	disk := smallDisk(t, 16<<20)
	full, path := filepath.Join(disk, "full"), filepath.Join(disk, "db")
	s := newSteps()
	knobs := smallChunks
	knobs.Hook, knobs.NoBackground = s.hook, true
	db, err := tarn.Open(path, tarn.WithKnobs(knobs))
	require.NoError(t, err)
	c, err := db.CreateCollection(ctx, "test", tarn.CollectionConfig{Dim: 64, WriteMode: tarn.WriteStreaming})
	require.NoError(t, err)
	rest := thin(t, c, 1_000, 64)
	s.call("compact: before checkpoint", func() {
		more := points(newRand(2), 20_000, 100, 64) // whose payloads need pages of meta.db
		for i := range more {
			more[i].Payload = tarn.Payload{"text": strings.Repeat("x", 10_000)}
		}
		require.NoError(t, c.Upsert(ctx, more...))
		rest = append(rest, more...)
		fillDisk(t, full, 0)
	})
	chunks := chunkFiles(t, path)
	require.ErrorIs(t, c.Compact(ctx), tarn.ErrNoSpace)
	s.call("compact: before checkpoint", nil)
	require.GreaterOrEqual(t, chunkFiles(t, path), chunks)
	requireRest(t, c, rest)
	copied, copiedDB := openCollection(t, crashCopy(t, path), tarn.WithKnobs(smallChunks))
	requireRest(t, copied, rest)
	requireSound(t, copiedDB)
	require.NoError(t, copiedDB.Close())
	require.NoError(t, os.Remove(full))
	compactTo(t, c, path, len(rest)/64+1)
	requireRest(t, c, rest)
	requireSound(t, db)
	require.NoError(t, db.Close())
}

// fillDisk writes a file until its disk has so much room left.
func fillDisk(t testing.TB, name string, room int) {
	t.Helper()
	f, err := os.Create(name)
	require.NoError(t, err)
	for piece := 1 << 20; piece > 0; piece /= 2 {
		for err == nil {
			_, err = f.Write(make([]byte, piece))
		}
		err = nil
	}
	_, err = f.Write([]byte("one more"))
	require.Error(t, err)
	info, err := f.Stat()
	require.NoError(t, err)
	require.NoError(t, f.Truncate(info.Size()-int64(room)))
	require.NoError(t, f.Close())
}
