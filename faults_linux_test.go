package tarn_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

func TestB01_AnFsyncThatTheKernelFailsPoisonsAndLosesNothingAcknowledged(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	probe := exec.Command(strace, "-qq", "-e", "inject=getpid:error=EIO", "true")
	if err := probe.Run(); err != nil {
		t.Skipf("strace cannot trace here: %v", err)
	}
	for call, calls := range map[string][]int{"fdatasync": {20, 90}, "fsync": {20, 23}} {
		for _, when := range calls {
			dir := filepath.Join(t.TempDir(), "db")
			inject := fmt.Sprintf("inject=%s:error=EIO:when=%d", call, when)
			cmd, lines := startChild(t, "write", dir, strace, "-f", "-qq", "-o", os.DevNull, "-e", "trace="+call, "-e", inject)
			var acked uint64
			var failed, again, search string
			for lines.Scan() {
				line := lines.Text()
				switch {
				case strings.HasPrefix(line, "acked "):
					_, err := fmt.Sscan(line[6:], &acked)
					require.NoError(t, err)
				case strings.HasPrefix(line, "failed: "):
					failed = line
				case strings.HasPrefix(line, "again: "):
					again = line
				case strings.HasPrefix(line, "search: "):
					search = line
				}
			}
			require.NoError(t, cmd.Wait())
			if acked < 5000 {
				require.Contains(t, failed, tarn.ErrFailed.Error(), inject)
				require.Contains(t, again, tarn.ErrFailed.Error(), "it was tried again")
				if acked > 0 {
					require.Equal(t, "search: 1 <nil>", search)
				} else { // there may be nothing to find
					require.Contains(t, search, "<nil>")
				}
			}
			t.Logf("%s: %d acknowledged, then %s", inject, acked, failed)
			c, db := openCollection(t, dir, nil)
			for id := uint64(1); id <= acked; id++ {
				p, err := c.Get(ctx, id)
				require.NoError(t, err, "%s: point %d of %d was acknowledged", inject, id, acked)
				require.Equal(t, vector(newRand(id), dim), p.Vector)
			}
			requireSound(t, db)
			require.NoError(t, db.Close())
		}
	}
}

// smallDisk mounts a file system of so many bytes in memory.
func smallDisk(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Skipf("a small tmpfs cannot be mounted: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, 0)) })
	return dir
}

func TestB03_B04_B05_AFullDiskIsAnErrorAndTheStoreLivesOn(t *testing.T) {
	for _, checkpointed := range []bool{false, true} {
		disk := smallDisk(t, 6<<20)
		ballast := filepath.Join(disk, "ballast")
		require.NoError(t, os.WriteFile(ballast, make([]byte, 2<<20), 0o600))
		path := filepath.Join(disk, "db")
		knobs := collection.Knobs{CheckpointBytes: 256 << 10, LogSegment: 256 << 10, ChunkSlots: 1024}
		db, err := tarn.Open(path, tarn.WithKnobs(knobs))
		require.NoError(t, err)
		c, err := db.CreateCollection(ctx, "test", tarn.CollectionConfig{Dim: 256})
		require.NoError(t, err)
		var have []tarn.Point
		r := newRand(1)
		for {
			p := points(r, uint64(len(have)), 1, 256)[0]
			if err = c.Upsert(ctx, p); err != nil {
				break
			}
			have = append(have, p)
			require.Less(t, len(have), 10_000, "the disk does not become full")
		}
		require.ErrorIs(t, err, tarn.ErrNoSpace)
		require.NotErrorIs(t, err, tarn.ErrFailed)
		require.Greater(t, len(have), 100)
		for _, p := range have[:20] {
			requirePoint(t, c, p)
		}
		if err := c.Checkpoint(ctx); err != nil {
			require.ErrorIs(t, err, tarn.ErrNoSpace)
		}
		if checkpointed { // reopened while it is full, for reading
			ro, err := tarn.Open(crashCopy(t, path), &tarn.Options{ReadOnly: true})
			require.NoError(t, err)
			rc, err := ro.Collection("test")
			require.NoError(t, err)
			require.Equal(t, len(have), rc.Len())
			require.NoError(t, ro.Close())
		}
		require.NoError(t, os.Remove(ballast))
		more := points(r, 50_000, 50, 256)
		require.NoError(t, c.Upsert(ctx, more...), "there is room again")
		require.NoError(t, c.Checkpoint(ctx))
		if err := db.Close(); err != nil { // a checkpoint in the background, of which nobody was told
			require.ErrorIs(t, err, tarn.ErrNoSpace)
			require.NotErrorIs(t, err, tarn.ErrFailed)
		}
		c, db = openCollection(t, path, nil)
		for _, p := range append(have, more...) {
			got, err := c.Get(ctx, p.ID)
			require.NoError(t, err)
			require.Equal(t, p.Vector, got.Vector)
		}
		requireSound(t, db)
		left, err := filepath.Glob(filepath.Join(path, "collections", "test", "*.tmp"))
		require.NoError(t, err)
		require.Empty(t, left)
		require.NoError(t, db.Close())
	}
}

// openFiles returns how many descriptors this process has.
func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}

// mapsOf returns how many mappings of files below a folder this process has.
func mapsOf(t *testing.T, dir string) int {
	t.Helper()
	data, err := os.ReadFile("/proc/self/maps")
	require.NoError(t, err)
	return strings.Count(string(data), dir)
}

func TestB09_NoDescriptorLeftIsAnErrorAndNothingLeaks(t *testing.T) {
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ChunkSlots: 64})
	w.upsert(t, points(w.r, 1, 300, dim)...)
	require.NoError(t, w.db.Close())
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	defer func() { require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)) }()
	before := openFiles(t)
	failures := 0
	for room := range 40 {
		low := unix.Rlimit{Cur: uint64(before + room), Max: limit.Max}
		require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &low))
		db, err := tarn.Open(w.path, nil)
		if err == nil {
			c, err := db.Collection("test")
			require.NoError(t, err)
			p := points(newRand(uint64(room)), 1, 1, dim)[0]
			if err := c.Upsert(ctx, p); err == nil {
				w.note(p)
			}
			err = db.Close()
			require.True(t, err == nil || errors.Is(err, unix.EMFILE), "%v", err)
		} else {
			require.ErrorIs(t, err, unix.EMFILE)
			failures++
		}
		require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
		require.Equal(t, before, openFiles(t), "with room for %d", room)
		require.Zero(t, mapsOf(t, w.path))
	}
	require.Greater(t, failures, 3)
	w.c, w.db = openCollection(t, w.path, nil)
	w.check(t)
	requireSound(t, w.db)
}

func TestD08_OpenAndCloseLeaveNoDescriptorAndNoMapping(t *testing.T) {
	w := newWorld(t, tarn.CollectionConfig{Dim: dim, Streaming: &tarn.StreamingConfig{}}, graphOnly)
	w.upsert(t, points(w.r, 1, 100, dim)...)
	require.NoError(t, w.db.Close())
	files, maps := openFiles(t), mapsOf(t, w.path)
	require.Zero(t, maps)
	for range fromEnv("TARN_OPENS", 100) {
		c, db := openCollection(t, w.path, graphOnlyOptions())
		_, err := c.Search(ctx, vector(w.r, dim), 3)
		require.NoError(t, err)
		require.NoError(t, db.Close())
	}
	require.Equal(t, files, openFiles(t))
	require.Zero(t, mapsOf(t, w.path))
}

func graphOnlyOptions() *tarn.Options { return tarn.WithKnobs(graphOnly) }
