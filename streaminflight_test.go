package tarn_test

import (
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
	"github.com/tarndb/tarn/internal/vfs"
)

// slowLog makes each fsync of the log take a second; after so many they fail (0: never).
func slowLog(disk *vfs.Inject, failAfter int) {
	if failAfter > 0 {
		disk.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpSyncData}, When: ofTheLog, Delay: time.Second, Skip: failAfter, Err: syscall.EIO, Lose: true})
	}
	disk.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpSyncData}, When: ofTheLog, Delay: time.Second})
}

func TestWhatIsSkippedIsCountedWhenItIsWrittenAndNotIfItIsLost(t *testing.T) {
	for _, lost := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s, _, db, _, disk := placed(t)
			r := newRand(1)
			first, err := s.SendBatch(ctx, points(r, 1, 4, dim), tarn.From("a", 5))
			require.NoError(t, err)
			require.NoError(t, first.Wait(ctx))
			failAfter := 0
			if lost {
				failAfter = 1
			}
			slowLog(disk, failAfter)
			send(t, s, points(r, 100, 4, dim)...)
			synctest.Wait()
			send(t, s, points(r, 200, 4, dim)...)
			again, err := s.SendBatch(ctx, points(r, 1, 4, dim), tarn.From("a", 5))
			require.NoError(t, err)
			time.Sleep(1500 * time.Millisecond) // the last two wait for one fsync
			st := requireCounters(t, s)
			require.EqualValues(t, 8, st.Written)
			require.Zero(t, st.Skipped, "it is not known yet that it will be written")
			err = again.Wait(ctx)
			st = requireCounters(t, s)
			if lost {
				require.ErrorIs(t, err, tarn.ErrFailed)
				require.EqualValues(t, 8, st.Failed)
				require.Zero(t, st.Skipped)
				require.Len(t, s.Abort(), 8)
				require.ErrorIs(t, db.Close(), tarn.ErrFailed)
				return
			}
			require.NoError(t, err)
			require.EqualValues(t, 4, st.Skipped)
			require.NoError(t, db.Close())
		})
	}
}

func TestAPanicInTheFsyncOfAStreamsBatchPoisonsTheCollection(t *testing.T) {
	hooks := newSteps()
	s, c, db, path := newStream(t, tarn.StreamingConfig{BatchSize: 2, FlushInterval: time.Hour}, collection.Knobs{Hook: hooks.hook})
	ps := points(newRand(1), 1, 6, dim)
	waitAll(t, send(t, s, ps[:2]...))
	hooks.call("write: before sync", func() { panic("out of reach") })
	for _, ticket := range send(t, s, ps[2:4]...) {
		require.ErrorContains(t, ticket.Wait(soon(t)), "out of reach")
	}
	hooks.call("write: before sync", nil)
	require.Len(t, s.Abort(), 2)
	require.ErrorIs(t, c.Upsert(ctx, ps[4]), tarn.ErrFailed, "what was handed back may be there: that is known after Open")
	require.ErrorIs(t, db.Close(), tarn.ErrFailed)
	c, _ = openCollection(t, path, nil)
	for _, p := range ps[:2] {
		requirePoint(t, c, p)
	}
}

// Batches with their places are in flight when an fsync fails, and then the power is cut:
// what was acknowledged is there, what is there is a beginning of what was sent, and the
// place says which. What was handed back is all that was not acknowledged.
func TestA09_D13_AnFsyncThatFailsWithBatchesInFlightLosesNothingThatWasAcknowledged(t *testing.T) {
	const batches = 24
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			s, c, db, mem, disk := placed(t)
			slowLog(disk, 1+int(seed%3))
			r := newRand(seed)
			var tickets []tarn.Ticket
			var sent []tarn.Point
			for n := range uint64(batches) {
				if n == 1 || n == 12 {
					time.Sleep(500 * time.Millisecond) // an fsync is under way
				} else if n == 8 || n == 16 {
					time.Sleep(time.Second)
				}
				ps := points(r, 4*n, 4, dim)
				ticket, err := s.SendBatch(ctx, ps, tarn.From("a", n+1))
				if err != nil {
					require.ErrorIs(t, err, tarn.ErrStreamDead)
					break
				}
				tickets, sent = append(tickets, ticket), append(sent, ps...)
			}
			acked := 0
			for i, ticket := range tickets {
				if err := ticket.Wait(ctx); err == nil {
					require.Equal(t, i, acked, "in order")
					acked++
				} else {
					require.ErrorIs(t, err, tarn.ErrStreamDead)
					require.ErrorIs(t, err, tarn.ErrFailed)
					require.ErrorIs(t, err, syscall.EIO)
				}
			}
			require.Less(t, acked, len(tickets))
			requireOps(t, s.Abort(), sent[4*acked:])
			offset, _ := c.Position("a")
			require.EqualValues(t, acked, offset, "Position tells what is durable")
			st := requireCounters(t, s)
			require.EqualValues(t, 4*acked, st.Written)
			require.EqualValues(t, acked, st.Batches)
			require.ErrorIs(t, c.Upsert(ctx, sent[0]), tarn.ErrFailed)
			cut := mem.Crash(seed, vfs.Crash{Keep: float64(seed%5) / 4, Torn: 0.3})
			require.ErrorIs(t, db.Close(), tarn.ErrFailed)

			c, db = openMem(t, cut, collection.Knobs{NoBackground: true})
			offset, _ = c.Position("a")
			require.GreaterOrEqual(t, offset, uint64(acked))
			require.EqualValues(t, 4*offset, c.Len())
			for _, p := range sent[:c.Len()] {
				requirePoint(t, c, p)
			}
			require.NoError(t, db.Close())
		})
	}
}

// While a stream's fsync fails, all who wait are told: those who wait for room in its
// queue, those who wait for an id of it, and those who wait for room in the collection.
func TestD13_AnFsyncThatFailsReachesEverybodyWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		disk := vfs.NewInject(mem)
		db, err := tarn.OpenFS(disk, tarn.WithKnobs(collection.Knobs{NoBackground: true, LogLimit: 4 << 10, CheckpointBytes: 1 << 30}))
		require.NoError(t, err)
		cfg := tarn.StreamingConfig{BufferSize: 40, BatchSize: 4, FlushInterval: time.Hour}
		c, err := db.CreateCollection(ctx, "test", tarn.CollectionConfig{Dim: dim, WriteMode: tarn.WriteStreaming, Streaming: &cfg})
		require.NoError(t, err)
		s, err := c.Stream()
		require.NoError(t, err)
		slowLog(disk, 2)
		r := newRand(1)
		errs := make(chan error, 20)
		sends := 0
		background := func(fn func() error) {
			sends++
			go func() { errs <- fn() }()
			synctest.Wait()
		}
		for n := uint64(0); n < 8; n++ {
			ps := points(r, 1000*n, 36, dim)
			background(func() error {
				ticket, err := s.SendBatch(ctx, ps)
				if err != nil {
					return err
				}
				return ticket.Wait(ctx)
			})
		}
		background(func() error { return c.Upsert(ctx, points(newRand(9), 0, 1, dim)...) })           // of an id that waits
		background(func() error { return c.Upsert(ctx, points(newRand(9), 1_000_000, 100, dim)...) }) // another
		background(func() error { _, err := c.Delete(ctx, 1_000_000); return err })                   // another
		background(func() error { return s.Flush(ctx) })                                              // all
		failed := 0
		for range sends {
			if err := <-errs; err != nil {
				failed++
				require.ErrorIs(t, err, tarn.ErrFailed)
			}
		}
		require.Greater(t, failed, 8)
		requireCounters(t, s)
		_, err = c.EnableStreaming(ctx, tarn.StreamingConfig{})
		require.ErrorIs(t, err, tarn.ErrFailed)
		require.ErrorIs(t, db.Close(), tarn.ErrFailed)
	})
}
