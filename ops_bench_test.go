package tarn_test

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

// copyFolder copies a folder as one would by hand, durably.
func copyFolder(t testing.TB, from, to string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(from, func(name string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		require.NoError(t, err)
		if e.IsDir() {
			return os.Mkdir(filepath.Join(to, rel), 0o700)
		}
		in, err := os.Open(name)
		require.NoError(t, err)
		defer in.Close()
		out, err := os.Create(filepath.Join(to, rel))
		require.NoError(t, err)
		defer out.Close()
		_, err = io.Copy(out, in)
		require.NoError(t, err)
		return out.Sync()
	}))
}

// BenchmarkBackup measures Backup and Restore of a store of real size against a
// durable copy of its folder, in turn; the medians' ratios are rates: above 1 is
// quicker than the copy. The store is open for reading, as tarn backup opens it: one
// that is open for writing audits its graph meanwhile, which takes a processor.
func BenchmarkBackup(b *testing.B) {
	const n, dim = 30_000, 384
	c, db, path := newCollection(b, tarn.CollectionConfig{Dim: dim, Metric: tarn.Cosine}, nil)
	r := newRand(1)
	for i := 0; i < n; i += 1_000 {
		require.NoError(b, c.Upsert(ctx, points(r, uint64(i), 1_000, dim)...))
	}
	require.NoError(b, c.Checkpoint(ctx))
	c, db = reopen(b, db, path, nil)
	require.Eventually(b, func() bool { return c.Stats().InDelta == 0 }, 5*time.Minute, 10*time.Millisecond)
	require.NoError(b, c.Checkpoint(ctx))
	c, db = reopen(b, db, path, &tarn.Options{ReadOnly: true})
	size := c.Stats().DiskBytes
	dir := b.TempDir()
	timed := func(fn func()) time.Duration {
		start := time.Now()
		fn()
		return time.Since(start)
	}
	var copies, backups, restores []time.Duration
	archive := filepath.Join(dir, "backup")
	for b.Loop() {
		copies = append(copies, timed(func() { copyFolder(b, path, filepath.Join(dir, "copy")) }))
		backups = append(backups, timed(func() {
			f, err := os.Create(archive)
			require.NoError(b, err)
			require.NoError(b, db.Backup(ctx, f))
			require.NoError(b, f.Sync())
			require.NoError(b, f.Close())
		}))
		restores = append(restores, timed(func() {
			f, err := os.Open(archive)
			require.NoError(b, err)
			require.NoError(b, tarn.Restore(ctx, filepath.Join(dir, "restored"), f))
			require.NoError(b, f.Close())
		}))
		require.NoError(b, os.RemoveAll(filepath.Join(dir, "copy")))
		require.NoError(b, os.RemoveAll(filepath.Join(dir, "restored")))
	}
	info, err := os.Stat(archive)
	require.NoError(b, err)
	b.SetBytes(size)
	b.ReportMetric(median(copies)/median(backups), "backup/copy")
	b.ReportMetric(median(copies)/median(restores), "restore/copy")
	b.ReportMetric(float64(info.Size())/float64(size), "size/folder")
	b.ReportMetric(float64(size)/1e6/median(copies), "copy-MB/s")
}

func median(d []time.Duration) float64 {
	slices.Sort(d)
	return d[len(d)/2].Seconds()
}

// BenchmarkCompact deletes four fifths of a store, compacts it, and compares its
// files with those of a fresh store of the rest.
func BenchmarkCompact(b *testing.B) {
	const n, dim = 25_000, 384
	for b.Loop() {
		c, db, path := newCollection(b, tarn.CollectionConfig{Dim: dim, WriteMode: tarn.WriteStreaming}, nil)
		fresh, freshDB, freshPath := newCollection(b, tarn.CollectionConfig{Dim: dim, WriteMode: tarn.WriteStreaming}, nil)
		r := newRand(1)
		for i := 0; i < n; i += 1_000 {
			ps := points(r, uint64(i), 1_000, dim)
			require.NoError(b, c.Upsert(ctx, ps...))
			var kept []tarn.Point
			for j := 0; j < len(ps); j += 5 {
				kept = append(kept, ps[j])
			}
			require.NoError(b, fresh.Upsert(ctx, kept...))
		}
		var gone []uint64
		for i := range uint64(n) {
			if i%5 > 0 {
				gone = append(gone, i)
			}
		}
		_, err := c.Delete(ctx, gone...)
		require.NoError(b, err)
		require.NoError(b, c.Checkpoint(ctx))
		before := c.Stats().DiskBytes
		start := time.Now()
		require.NoError(b, c.Compact(ctx))
		took := time.Since(start)
		require.NoError(b, fresh.Rebuild(ctx, tarn.IndexConfig{}))
		c, _ = reopen(b, db, path, nil)
		fresh, _ = reopen(b, freshDB, freshPath, nil)
		b.ReportMetric(float64(c.Stats().DiskBytes)/float64(fresh.Stats().DiskBytes), "compacted/fresh")
		b.ReportMetric(float64(before)/float64(fresh.Stats().DiskBytes), "before/fresh")
		b.ReportMetric(took.Seconds(), "s/compact")
	}
}
