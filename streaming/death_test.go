package streaming

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestATransientErrorKeepsTheBatchAndTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error { return errFull })
		in := start(t, Config{BufferSize: 10, BatchSize: 4}, s)
		tickets := send(t, in, 0, 10)
		_, err := in.TrySend(10)
		require.ErrorIs(t, err, ErrBufferFull, "the queue keeps what it holds")
		time.Sleep(2 * time.Second)
		require.Equal(t, []int{0, 10, 30, 70, 150, 310, 630, 1270}, s.times(), "each wait is twice the last")
		stats := in.Stats()
		require.ErrorIs(t, stats.LastError, errFull)
		require.Equal(t, 10, stats.Queued)
		requireSum(t, stats)
		s.then(nil)
		for _, ticket := range tickets {
			require.NoError(t, ticket.Wait(t.Context()))
		}
		require.Equal(t, upTo(0, 10), s.written())
		require.Equal(t, 2270, s.times()[8], "and a second at most")
		require.NoError(t, in.Err())
		require.NoError(t, in.Flush(t.Context()))
	})
}

func TestFlushSaysWhyItWaitedInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error { return errFull })
		in := start(t, Config{}, s)
		send(t, in, 0, 3)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := in.Flush(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, errFull)
		require.ErrorContains(t, err, "3 points wait")

		s.then(func(_ context.Context, items []int) error {
			time.Sleep(time.Duration(items[0]) * time.Second)
			return nil
		})
		require.NoError(t, in.Flush(t.Context()))
		send(t, in, 3, 4)
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Equal(t, context.DeadlineExceeded, in.Flush(ctx), "the disk is not full any more")
	})
}

func TestD13_APermanentErrorIsDeathAndKeepsWhatWasNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(_ context.Context, items []int) error {
			if items[0] == 4 {
				time.Sleep(ms)
				return errDisk
			}
			return nil
		})
		in := start(t, Config{BufferSize: 11, BatchSize: 4}, s)
		tickets := send(t, in, 0, 11)
		waiting := make(chan error, 1)
		go func() {
			_, err := in.SendGroup(t.Context(), upTo(11, 22))
			waiting <- err
		}()
		for x, ticket := range tickets {
			err := ticket.Wait(t.Context())
			if x < 4 {
				require.NoError(t, err)
				continue
			}
			require.ErrorIs(t, err, ErrStreamDead)
			require.ErrorIs(t, err, errDisk, "the cause reaches each ticket")
		}
		require.ErrorIs(t, <-waiting, ErrStreamDead)
		_, err := in.TrySend(99)
		require.ErrorIs(t, err, ErrStreamDead)
		require.ErrorIs(t, err, errDisk)
		require.ErrorIs(t, in.Flush(t.Context()), errDisk)
		stats := in.Stats()
		requireSum(t, stats)
		require.Equal(t, Stats{Accepted: 11, Written: 4, Failed: 7, Rejected: 12, Batches: 1, LastError: errDisk}, stats)

		s.then(nil)
		time.Sleep(time.Hour)
		require.Equal(t, upTo(0, 4), s.written(), "nothing is written later")
		rest, err := in.Shutdown(t.Context())
		require.ErrorIs(t, err, errDisk)
		require.Equal(t, upTo(4, 11), rest)
		require.Empty(t, in.Abort())
		rest, err = in.Shutdown(t.Context())
		require.NoError(t, err)
		require.Empty(t, rest)
		require.ErrorIs(t, tickets[5].Wait(t.Context()), ErrStreamDead, "its tickets do not change their minds")
	})
}

func TestAPanicInFlushIsTheCauseOfDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error { panic("no such shelf") })
		in := start(t, Config{}, s)
		tickets := send(t, in, 0, 2)
		require.ErrorContains(t, tickets[0].Wait(t.Context()), "no such shelf")
		require.ErrorIs(t, in.Err(), ErrStreamDead)
		require.Equal(t, upTo(0, 2), in.Abort())
	})
}

func TestAFlushThatEndsItsGoroutineIsTheCauseOfDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error { runtime.Goexit(); return nil })
		in := start(t, Config{}, s)
		tickets := send(t, in, 0, 2)
		require.ErrorIs(t, tickets[0].Wait(t.Context()), errGoexit)
		require.Equal(t, upTo(0, 2), in.Abort())
	})
}

func TestAStreamThatIsKilledWritesNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in := start(t, Config{BatchSize: 4}, s)
		tickets := send(t, in, 0, 3)
		in.Kill(errDisk)
		in.Kill(errFull)
		_, err := in.TrySend(9)
		require.ErrorIs(t, err, errDisk)
		require.ErrorIs(t, tickets[0].Wait(t.Context()), ErrStreamDead)
		require.Empty(t, s.sizes())
		require.Equal(t, upTo(0, 3), in.Abort())
		requireSum(t, in.Stats())
	})
}

func TestABatchInFlightSurvivesTheKillIfItWasWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error { time.Sleep(time.Second); return nil })
		in := start(t, Config{BatchSize: 4}, s)
		tickets := send(t, in, 0, 7)
		synctest.Wait()
		in.Kill(errDisk)
		require.NoError(t, tickets[3].Wait(t.Context()))
		require.ErrorIs(t, tickets[4].Wait(t.Context()), errDisk)
		require.Equal(t, upTo(4, 7), in.Abort())
		require.Equal(t, upTo(0, 4), s.written())
	})
}

func TestKillMayBeCalledInFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in := start(t, Config{BatchSize: 2}, s)
		s.then(func(context.Context, []int) error { in.Kill(errDisk); return errors.New("another") })
		tickets := send(t, in, 0, 2)
		require.ErrorIs(t, tickets[0].Wait(t.Context()), errDisk)
	})
}

func TestKillingAStreamThatHasEndedChangesNothing(t *testing.T) {
	in := start(t, Config{}, newSink())
	_, err := in.Shutdown(t.Context())
	require.NoError(t, err)
	in.Kill(errDisk)
	require.NoError(t, in.Err())
	_, err = in.TrySend(1)
	require.ErrorIs(t, err, ErrClosed)
}
