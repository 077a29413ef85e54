package tarn_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

// requireSound asserts O4: Verify has nothing to report.
func requireSound(t testing.TB, db *tarn.DB) tarn.Report {
	t.Helper()
	r, err := db.Verify(ctx)
	require.NoError(t, err)
	require.Empty(t, r.Findings)
	return r
}

func TestVerifyReadsEverythingAndFindsNothingInAWholeStore(t *testing.T) {
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, ChunkSlots: 64, LogSegment: 16 << 10})
	requireSound(t, w.db)
	w.upsert(t, points(w.r, 1, 200, dim)...)
	w.delete(t, w.ids(20)...)
	r := requireSound(t, w.db)
	require.Equal(t, 180, r.Points)
	require.Greater(t, r.Bytes, int64(180*dim*4))
	require.NoError(t, w.c.Checkpoint(ctx))
	requireSound(t, w.db)
	w.reopen(t)
	require.Equal(t, 180, requireSound(t, w.db).Points)
}

func TestVerifyOfAReadOnlyDatabaseWritesNoByte(t *testing.T) {
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, ChunkSlots: 64})
	w.upsert(t, points(w.r, 1, 100, dim)...)
	require.NoError(t, w.c.Checkpoint(ctx))
	w.upsert(t, points(w.r, 50, 100, dim)...) // in the log only
	copied := crashCopy(t, w.path)
	before := tree(t, copied)
	db, err := tarn.Open(copied, &tarn.Options{ReadOnly: true})
	require.NoError(t, err)
	require.Equal(t, 149, requireSound(t, db).Points)
	require.NoError(t, db.Close())
	require.Equal(t, before, tree(t, copied))
}

func TestVerifyBesideEverythingElseFindsNothing(t *testing.T) {
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, ChunkSlots: 64, SnapshotChange: 50, CheckpointBytes: 32 << 10, LogSegment: 16 << 10})
	w.upsert(t, points(w.r, 1, 300, dim)...)
	wait := inBackground(t, func() error {
		r := newRand(9)
		for range 60 {
			if err := w.c.Upsert(ctx, points(r, r.Uint64N(300), 20, dim)...); err != nil {
				return err
			}
			if _, err := w.c.Delete(ctx, r.Uint64N(300)); err != nil {
				return err
			}
		}
		return w.c.Rebuild(ctx, tarn.IndexConfig{})
	})
	for range 40 {
		requireSound(t, w.db)
	}
	require.NoError(t, wait())
	requireSound(t, w.db)
}

func TestVerifyOfAClosedDatabase(t *testing.T) {
	db, _ := newDB(t, nil)
	require.NoError(t, db.Close())
	_, err := db.Verify(ctx)
	require.ErrorIs(t, err, tarn.ErrClosed)
}

// O4: whatever is damaged while the store is open, Verify says so, and where.
func TestO4_VerifyFindsDamageInEveryFileOfAnOpenStore(t *testing.T) {
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, ChunkSlots: 64, SnapshotChange: 1, NoBackground: true})
	w.upsert(t, points(w.r, 1, 100, dim)...)
	eventually(t, "the delta is empty", func() bool { return w.c.Stats().InDelta == 0 })
	require.NoError(t, w.c.Checkpoint(ctx))
	w.upsert(t, points(w.r, 200, 3, dim)...)
	requireSound(t, w.db)
	seen := map[string]bool{}
	require.NoError(t, filepath.WalkDir(w.path, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || e.Name() == "LOCK" {
			return err
		}
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		rel, err := filepath.Rel(w.path, name)
		require.NoError(t, err)
		at := 20 // in every header
		if strings.HasSuffix(name, ".vec") || strings.HasSuffix(name, ".code") || strings.HasSuffix(name, ".side") || strings.HasSuffix(name, ".wal") {
			at = 4096 + 10
		} else if strings.HasSuffix(name, "meta.db") {
			at = len(data)/4096*4096 - 4096 // the pages' heads
		}
		for ; strings.HasSuffix(name, "meta.db") && data[at] == 0; at -= 4096 {
		}
		flipByte(t, name, int64(at))
		r, err := w.db.Verify(ctx)
		require.NoError(t, err)
		flipByte(t, name, int64(at))
		for _, f := range r.Findings {
			seen[filepath.ToSlash(f.File)] = true
			require.NotEmpty(t, f.Problem)
		}
		require.NotEmpty(t, r.Findings, "%s at %d", rel, at)
		requireSound(t, w.db)
		return nil
	}))
	require.GreaterOrEqual(t, len(seen), 7, "%v", seen)
}

// flipByte turns all bits of a byte around, in place.
func flipByte(t testing.TB, name string, at int64) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	b := []byte{0}
	_, err = f.ReadAt(b, at)
	require.NoError(t, err)
	b[0] = ^b[0]
	_, err = f.WriteAt(b, at)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}
