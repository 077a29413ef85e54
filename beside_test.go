package tarn_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
	"github.com/tarndb/tarn/internal/vfs"
)

// The parts of a large batch overlap: these tests hold one of them and look at the
// others.

// largeBatch is more points than many: with these knobs their parts overlap.
const largeBatch = 60

func overlapping() collection.Knobs {
	return collection.Knobs{NoBackground: true, PauseIndexer: true, RunBytes: 4 * dim}
}

// held is a write in progress, whose end is noted.
type held struct {
	ended atomic.Bool
	err   chan error
}

func begin(fn func() error) *held {
	h := &held{err: make(chan error, 1)}
	go func() {
		err := fn()
		h.ended.Store(true)
		h.err <- err
	}()
	return h
}

// bothWays runs a test with a batch that a call writes and with one of a stream.
func bothWays(t *testing.T, test func(t *testing.T, c *tarn.Collection, db *tarn.DB, disk *vfs.Inject, write func(ps []tarn.Point) error)) {
	for _, way := range []string{"a call", "a stream"} {
		t.Run(way, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				s, c, db, disk := onDisk(t, dir, tarn.StreamingConfig{BatchSize: largeBatch, FlushInterval: time.Hour}, overlapping())
				write := func(ps []tarn.Point) error { return c.Upsert(ctx, ps...) }
				if way == "a stream" {
					write = func(ps []tarn.Point) error {
						ticket, err := s.SendBatch(ctx, ps, tarn.From("a", ps[0].ID))
						if err != nil {
							return err
						}
						return ticket.Wait(ctx)
					}
				}
				test(t, c, db, disk, write)
			})
		})
	}
}

func TestALargeBatchIsAcknowledgedOnlyWhenItIsDurableThoughItIsSeenBefore(t *testing.T) {
	bothWays(t, func(t *testing.T, c *tarn.Collection, db *tarn.DB, disk *vfs.Inject, write func([]tarn.Point) error) {
		ps := points(newRand(1), 1, largeBatch, dim)
		disk.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpSyncData}, When: ofTheLog, Delay: time.Second})
		w := begin(func() error { return write(ps) })
		time.Sleep(500 * time.Millisecond) // the fsync is under way
		requirePoint(t, c, ps[largeBatch-1])
		require.Equal(t, largeBatch, c.Len(), "published beside the fsync")
		require.False(t, w.ended.Load(), "acknowledged before it is durable")
		st := c.Stats()
		require.Less(t, st.DurableLSN, st.AppliedLSN)
		_, ok := c.Position("a")
		require.False(t, ok)
		require.NoError(t, <-w.err)
		st = c.Stats()
		require.Equal(t, st.AppliedLSN, st.DurableLSN)
		require.NoError(t, db.Close())
	})
}

func TestALargeBatchIsSeenOnlyWhenItsSlotsAreWritten(t *testing.T) {
	for _, file := range []string{"*.vec", "*.code", "*.side"} {
		t.Run(file, func(t *testing.T) {
			bothWays(t, func(t *testing.T, c *tarn.Collection, db *tarn.DB, disk *vfs.Inject, write func([]tarn.Point) error) {
				r := newRand(1)
				before, ps := points(r, 1, largeBatch, dim), points(r, 1, largeBatch, dim)
				require.NoError(t, c.Upsert(ctx, before...))
				applied := c.Stats().AppliedLSN
				// The last run of one of the two who write: everything else is done meanwhile.
				f := &vfs.Fault{Ops: []vfs.Op{vfs.OpWrite}, Glob: file, Skip: largeBatch - 1, Count: 1, Delay: time.Second}
				disk.Add(f)
				w := begin(func() error { return write(ps) })
				time.Sleep(500 * time.Millisecond)
				require.Equal(t, 1, disk.Hits(f))
				st := c.Stats()
				require.Equal(t, applied, st.AppliedLSN)
				require.False(t, w.ended.Load())
				for _, p := range before {
					requirePoint(t, c, p)
				}
				require.NoError(t, <-w.err)
				for _, p := range ps {
					requirePoint(t, c, p)
				}
				require.NoError(t, db.Close())
			})
		})
	}
}

func TestALargeBatchIsSeenOnlyWhenTheLogHasIt(t *testing.T) {
	bothWays(t, func(t *testing.T, c *tarn.Collection, db *tarn.DB, disk *vfs.Inject, write func([]tarn.Point) error) {
		ps := points(newRand(1), 1, largeBatch, dim)
		disk.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpWrite}, When: ofTheLog, Delay: time.Second})
		slots := &vfs.Fault{Ops: []vfs.Op{vfs.OpWrite}, Glob: "*.side"}
		disk.Add(slots)
		w := begin(func() error { return write(ps) })
		time.Sleep(500 * time.Millisecond)
		require.GreaterOrEqual(t, disk.Hits(slots), largeBatch, "its slots are written meanwhile")
		require.Zero(t, c.Len())
		require.False(t, w.ended.Load())
		require.NoError(t, <-w.err)
		require.Equal(t, largeBatch, c.Len())
		require.NoError(t, db.Close())
	})
}

func TestTheFsyncOfALargeBatchBeginsBeforeItsPublicationEnds(t *testing.T) {
	hooks, knobs, dir := newSteps(), overlapping(), t.TempDir()
	knobs.Hook = hooks.hook
	_, c, db, disk := onDisk(t, dir, tarn.StreamingConfig{}, knobs)
	synced := make(chan struct{})
	disk.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpSyncData}, When: ofTheLog, Hit: func(_ vfs.Call, n int) {
		if n == 1 {
			close(synced)
		}
	}})
	at := hooks.stop(t, "write: before publication")
	w := begin(func() error { return c.Upsert(ctx, points(newRand(1), 1, largeBatch, dim)...) })
	at.await()
	<-synced // or this never ends
	at.release()
	require.NoError(t, <-w.err)
	require.Equal(t, largeBatch, c.Len())
	require.NoError(t, db.Close())
}

func TestAPanicInTheMiddleOfALargeBatchLeavesNothingLocked(t *testing.T) {
	for _, step := range []string{"in the log", "write: after log", "write: before publication"} {
		t.Run(step, func(t *testing.T) {
			hooks, knobs, dir := newSteps(), overlapping(), t.TempDir()
			knobs.Hook = hooks.hook
			db, disk, err := tarn.OpenInjected(dir, tarn.WithKnobs(knobs))
			require.NoError(t, err)
			c, err := db.CreateCollection(ctx, "test", tarn.CollectionConfig{Dim: dim})
			require.NoError(t, err)
			r := newRand(1)
			first := points(r, 1, largeBatch, dim)
			require.NoError(t, c.Upsert(ctx, first...))
			if step == "in the log" {
				disk.Before(func(call vfs.Call) {
					if call.Op == vfs.OpWrite && ofTheLog(call) {
						panic("broken")
					}
				})
			} else {
				hooks.call(step, func() { panic("broken") })
			}
			require.PanicsWithValue(t, "broken", func() { _ = c.Upsert(ctx, points(r, 1000, largeBatch, dim)...) })
			for _, p := range first {
				requirePoint(t, c, p)
			}
			require.Equal(t, largeBatch, c.Len())
			require.ErrorIs(t, c.Upsert(soon(t), first...), tarn.ErrFailed, "what became of it is not known")
			require.ErrorIs(t, c.Checkpoint(soon(t)), tarn.ErrFailed)
			require.ErrorIs(t, db.Close(), tarn.ErrFailed)
			c, db = openCollection(t, dir, nil)
			require.Contains(t, []int{largeBatch, 2 * largeBatch}, c.Len(), "all of it or nothing")
			requireSound(t, db)
			require.NoError(t, db.Close())
		})
	}
}
