package streaming

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// disk is a Durable that takes its time, for all that was flushed before it began.
type disk struct {
	s      *sink
	took   time.Duration
	err    atomic.Pointer[error]
	synced atomic.Int64 // calls of Flush that are durable
	syncs  atomic.Int64
}

func (d *disk) durable() func() error {
	mine := int64(len(d.s.sizes()))
	return func() error {
		if d.synced.Load() >= mine {
			return nil
		}
		now := int64(len(d.s.sizes()))
		d.syncs.Add(1)
		time.Sleep(d.took)
		if err := d.err.Load(); err != nil {
			return *err
		}
		d.synced.Store(now)
		return nil
	}
}

// tellings returns how many items were settled.
func (s *sink) tellings() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.told)
}

// onDisk makes a stream that waits for a disk.
func onDisk(t *testing.T, cfg Config, took time.Duration) (*Ingester[int], *sink, *disk) {
	s := newSink()
	d := &disk{s: s, took: took}
	in, err := New(Options[int]{
		Config: cfg, Flush: s.flush, Durable: d.durable, Settled: s.settled,
		Transient: func(err error) bool { return errors.Is(err, errFull) },
	})
	require.NoError(t, err)
	t.Cleanup(func() { in.Abort() })
	return in, s, d
}

func TestWhatIsDueIsFlushedWhileTheBatchesBeforeItWaitForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, s, d := onDisk(t, Config{BatchSize: 4, FlushInterval: time.Hour}, 10*ms)
		var tickets []Ticket
		group := func(i int) {
			ticket, err := in.SendGroup(t.Context(), upTo(4*i, 4*i+4))
			require.NoError(t, err)
			tickets = append(tickets, ticket)
		}
		group(0)
		synctest.Wait()
		for i := 1; i <= 40; i++ {
			group(i)
		}
		require.NoError(t, tickets[0].Wait(t.Context()))
		synctest.Wait()
		require.Len(t, s.sizes(), 41, "the others are flushed beside the disk's work")
		require.Equal(t, 4, s.tellings(), "and told to be written when it has ended")
		requireSum(t, in.Stats())
		require.Equal(t, 160, in.Stats().Queued, "they are in the queue until then (I4)")
		for i, ticket := range tickets {
			require.NoError(t, ticket.Wait(t.Context()), "group %d", i)
		}
		require.LessOrEqual(t, d.syncs.Load(), int64(3), "41 groups share three: the first, what was flushed when the second began, and the rest")
		require.Equal(t, 164, s.tellings())
		require.EqualValues(t, 41, in.Stats().Batches)
	})
}

func TestABatchAloneWaitsForTheDiskByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, s, d := onDisk(t, Config{BatchSize: 4, FlushInterval: 50 * ms}, 10*ms)
		for i := range 3 {
			send(t, in, 4*i, 4*i+3)
			require.NoError(t, in.Flush(t.Context()))
			require.EqualValues(t, i+1, d.syncs.Load())
		}
		require.Equal(t, []int{0, 10, 20}, s.times())
	})
}

func TestD13_WhatDoesNotBecomeDurableIsHandedBackWithAllThatWasFlushedAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, s, d := onDisk(t, Config{BatchSize: 4, FlushInterval: time.Hour}, 10*ms)
		first := send(t, in, 0, 4)
		synctest.Wait()
		rest := send(t, in, 4, 200)
		require.NoError(t, first[3].Wait(t.Context()))
		synctest.Wait()
		require.Greater(t, len(s.sizes()), 2, "more than one batch waits for the disk")
		d.err.Store(&errDisk)
		for _, ticket := range rest {
			err := ticket.Wait(t.Context())
			require.ErrorIs(t, err, ErrStreamDead)
			require.ErrorIs(t, err, errDisk)
		}
		require.Equal(t, upTo(4, 200), in.Abort())
		st := in.Stats()
		requireSum(t, st)
		require.EqualValues(t, 4, st.Written)
		require.EqualValues(t, 196, st.Failed)
	})
}

func TestAbortAndShutdownWaitForTheDiskAndHandBackOnlyWhatWasNotFlushed(t *testing.T) {
	for _, end := range []string{"abort", "shutdown", "kill"} {
		synctest.Test(t, func(t *testing.T) {
			in, s, _ := onDisk(t, Config{BatchSize: 4, FlushInterval: time.Hour}, 10*ms)
			send(t, in, 0, 4)
			synctest.Wait()
			for i := 1; i <= 5; i++ {
				_, err := in.SendGroup(t.Context(), upTo(4*i, 4*i+4))
				require.NoError(t, err)
			}
			time.Sleep(10 * ms)
			synctest.Wait()
			s.then(func(ctx context.Context, _ []int) error { <-ctx.Done(); return ctx.Err() })
			send(t, in, 24, 30)
			synctest.Wait()
			var rest []int
			switch end {
			case "shutdown":
				ctx, cancel := context.WithTimeout(t.Context(), ms)
				defer cancel()
				var err error
				rest, err = in.Shutdown(ctx)
				require.ErrorIs(t, err, context.DeadlineExceeded)
			case "kill":
				in.Kill(errDisk)
				fallthrough
			default:
				rest = in.Abort()
			}
			require.Equal(t, upTo(0, 24), s.written())
			require.Equal(t, upTo(24, 30), rest)
			require.EqualValues(t, 24, in.Stats().Written)
		})
	}
}

func TestAPanicWhileABatchBecomesDurableIsTheCauseOfDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in, err := New(Options[int]{Config: Config{BatchSize: 2}, Flush: s.flush, Settled: s.settled,
			Durable: func() func() error { return func() error { panic("here") } }})
		require.NoError(t, err)
		tickets := send(t, in, 0, 9)
		require.ErrorContains(t, tickets[8].Wait(t.Context()), "panicked: here")
		require.Equal(t, upTo(0, 9), in.Abort())
	})
}
