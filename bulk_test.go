package tarn_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
	"github.com/tarndb/tarn/internal/vfs"
)

// A large batch goes into its slots while it goes into the log.

// bulkDim makes a batch of 300 points a large one.
const bulkDim = 384

func TestB03_B06_ALargeBatchThatTheLogRefusesLeavesNothingBehind(t *testing.T) {
	refused := errors.New("refused")
	path := filepath.Join(t.TempDir(), "db")
	db, disk, err := tarn.OpenInjected(path, tarn.WithKnobs(collection.Knobs{NoBackground: true, ChunkSlots: 256}))
	require.NoError(t, err)
	c, err := db.CreateCollection(ctx, "test", tarn.CollectionConfig{Dim: bulkDim})
	require.NoError(t, err)
	r := newRand(3)
	first := points(r, 1, 300, bulkDim)
	require.NoError(t, c.Upsert(ctx, first...))
	for piece := range 2 {
		f := &vfs.Fault{Ops: []vfs.Op{vfs.OpWrite}, Skip: piece, Count: 1, Err: refused, Short: func(n int) int { return n / 2 },
			When: func(c vfs.Call) bool { return ofTheLog(c) && c.Off >= 4096 }}
		disk.Add(f)
		moved := points(r, 1, 300, bulkDim) // the same ids
		require.ErrorIs(t, c.Upsert(ctx, moved...), refused)
		require.Equal(t, 1, disk.Hits(f))
		for _, p := range first[:5] {
			requirePoint(t, c, p)
		}
	}
	last := points(r, 1000, 300, bulkDim)
	require.NoError(t, c.Upsert(ctx, last...))
	killed, kdb := openCollection(t, crashCopy(t, path), nil)
	require.Equal(t, 600, killed.Len())
	for _, p := range append(first[:20:20], last...) {
		requirePoint(t, killed, p)
	}
	requireSound(t, kdb)
	requireSound(t, db)
	require.NoError(t, db.Close())
}

func TestB01_ALargeBatchThatItsSlotsRefuseIsInTheLogAndSaysSo(t *testing.T) {
	refused := errors.New("refused")
	path := filepath.Join(t.TempDir(), "db")
	db, disk, err := tarn.OpenInjected(path, tarn.WithKnobs(collection.Knobs{NoBackground: true}))
	require.NoError(t, err)
	c, err := db.CreateCollection(ctx, "test", tarn.CollectionConfig{Dim: bulkDim})
	require.NoError(t, err)
	disk.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpWrite}, Glob: "*.code", Skip: 1, Count: 1, Err: refused}) // after the header
	ps := points(newRand(4), 1, 600, bulkDim)
	err = c.Upsert(ctx, ps...)
	require.ErrorIs(t, err, refused)
	require.ErrorIs(t, err, tarn.ErrFailed)
	require.Zero(t, c.Len(), "what could not be applied is not seen")
	require.ErrorIs(t, c.Upsert(ctx, ps[0]), tarn.ErrFailed)
	require.ErrorIs(t, db.Close(), tarn.ErrFailed)
	c, db = openCollection(t, path, nil)
	require.Equal(t, 600, c.Len(), "the log had it")
	for _, p := range ps {
		requirePoint(t, c, p)
	}
	requireSound(t, db)
	require.NoError(t, db.Close())
}

func TestB01_TheFsyncOfALargeBatchThatFailsPoisons(t *testing.T) {
	failed := fmt.Errorf("%w: the disk is gone", vfs.ErrFailed)
	for _, stream := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "db")
		db, disk, err := tarn.OpenInjected(path, tarn.WithKnobs(collection.Knobs{NoBackground: true}))
		require.NoError(t, err)
		c, err := db.CreateCollection(ctx, "test", tarn.CollectionConfig{Dim: bulkDim, Streaming: &tarn.StreamingConfig{BatchSize: 600}})
		require.NoError(t, err)
		require.NoError(t, c.Upsert(ctx, points(newRand(4), 5000, 600, bulkDim)...))
		f := &vfs.Fault{Ops: []vfs.Op{vfs.OpSyncData}, Count: 1, Err: failed, When: ofTheLog}
		disk.Add(f)
		ps := points(newRand(5), 1, 600, bulkDim)
		if stream {
			s, err := c.Stream()
			require.NoError(t, err)
			ticket, err := s.SendBatch(ctx, ps)
			require.NoError(t, err)
			require.ErrorIs(t, ticket.Wait(ctx), tarn.ErrStreamDead, "no ticket without an fsync")
		} else {
			require.ErrorIs(t, c.Upsert(ctx, ps...), tarn.ErrFailed)
		}
		require.Equal(t, 1, disk.Hits(f))
		require.ErrorIs(t, c.Upsert(ctx, ps[0]), tarn.ErrFailed)
		require.ErrorIs(t, c.Checkpoint(ctx), tarn.ErrFailed)
		require.Error(t, db.Close())
		c, db = openCollection(t, path, nil)
		require.GreaterOrEqual(t, c.Len(), 600)
		requireSound(t, db)
		require.NoError(t, db.Close())
	}
}

func TestTheLogIsBoundedWhileARebuildRuns(t *testing.T) {
	const limit, segment, batch = 64 << 10, 64 << 10, 100
	hooks := newSteps()
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, CheckpointBytes: limit / 4, LogLimit: limit,
		LogSegment: segment, Hook: hooks.hook})
	w.upsert(t, points(w.r, 1, 300, dim)...)
	at := hooks.stop(t, "rebuild: before publication")
	wait := inBackground(t, func() error { return w.c.Rebuild(ctx, tarn.IndexConfig{}) })
	at.await()
	written := int64(0)
	for round := range uint64(120) { // with moves and deletes
		w.upsert(t, points(w.r, 1+round*7, batch, dim)...)
		if round%9 == 0 {
			w.delete(t, w.ids(5)...)
		}
		written += batch * dim * 4
		require.LessOrEqual(t, w.c.Stats().WALBytes, int64(limit+2*batch*(dim*4+100)), "round %d", round)
		require.LessOrEqual(t, logBytes(t, w.path), int64(4*limit), "what is full, and what is prepared: round %d", round)
	}
	require.Greater(t, written, int64(4*limit))
	require.True(t, w.c.Stats().Rebuilding)
	at.release()
	require.NoError(t, wait())
	w.check(t)
	requireSound(t, w.db)
}

// logBytes returns the bytes of the files of the log.
func logBytes(t *testing.T, path string) (sum int64) {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(path, "collections", "test", "wal"))
	require.NoError(t, err)
	for _, f := range files {
		if info, err := f.Info(); err == nil {
			sum += info.Size()
		}
	}
	return sum
}
