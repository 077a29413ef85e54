package streaming

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestShutdownWritesWhatIsLeftInSlicesOfBatchSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in := start(t, Config{BatchSize: 4, FlushInterval: time.Hour}, s)
		gate := make(chan struct{})
		s.then(func(context.Context, []int) error { <-gate; return nil })
		tickets := send(t, in, 0, 4)
		synctest.Wait()
		tickets = append(tickets, send(t, in, 4, 30)...)
		done := make(chan error)
		go func() {
			rest, err := in.Shutdown(t.Context())
			assert.Empty(t, rest)
			done <- err
		}()
		synctest.Wait()
		_, err := in.TrySend(99)
		require.ErrorIs(t, err, ErrClosed)
		close(gate)
		require.NoError(t, <-done)
		require.Equal(t, []int{4, 4, 4, 4, 4, 4, 4, 2}, s.sizes())
		require.Equal(t, upTo(0, 30), s.written())
		for _, ticket := range tickets {
			require.NoError(t, ticket.Wait(t.Context()))
		}
		rest, err := in.Shutdown(t.Context())
		require.NoError(t, err)
		require.Empty(t, rest)
		require.Empty(t, in.Abort())
		require.NoError(t, in.Flush(t.Context()))
		require.NoError(t, in.Drain(t.Context()))
	})
}

func TestD14_ShutdownWithALateDiskHandsBackTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(_ context.Context, items []int) error { time.Sleep(time.Second); return nil })
		in := start(t, Config{BufferSize: 30, BatchSize: 4}, s)
		tickets := send(t, in, 0, 30)
		ctx, cancel := context.WithTimeout(t.Context(), 2500*ms)
		defer cancel()
		rest, err := in.Shutdown(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		written := s.written()
		require.Equal(t, upTo(0, 12), written, "the batch in flight was written: it is not handed back")
		require.Equal(t, upTo(12, 30), rest)
		for x, ticket := range tickets {
			if x < 12 {
				require.NoError(t, ticket.Wait(t.Context()))
			} else {
				require.ErrorIs(t, ticket.Wait(t.Context()), ErrClosed)
			}
		}
		stats := in.Stats()
		requireSum(t, stats)
		require.EqualValues(t, 18, stats.Failed)
		require.NoError(t, in.Flush(t.Context()), "nothing is left")
		rest, err = in.Shutdown(t.Context())
		require.NoError(t, err)
		require.Empty(t, rest)
	})
}

func TestShutdownCancelsAFlushThatWaits(t *testing.T) {
	for name, outcome := range map[string]error{"cancelled": context.Canceled, "still full": errFull} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSink()
				s.then(func(ctx context.Context, _ []int) error { <-ctx.Done(); return outcome })
				in := start(t, Config{BatchSize: 4}, s)
				tickets := send(t, in, 0, 6)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				rest, err := in.Shutdown(ctx)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.NotErrorIs(t, err, ErrStreamDead)
				require.Equal(t, upTo(0, 6), rest)
				require.ErrorIs(t, tickets[0].Wait(t.Context()), ErrClosed)
				require.Equal(t, time.Second, time.Since(s.start))
			})
		})
	}
}

func TestShutdownReportsAFlushThatFailedAtItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(ctx context.Context, _ []int) error { <-ctx.Done(); return errDisk })
		in := start(t, Config{BatchSize: 4}, s)
		send(t, in, 0, 6)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		rest, err := in.Shutdown(ctx)
		require.ErrorIs(t, err, ErrStreamDead)
		require.ErrorIs(t, err, errDisk)
		require.Equal(t, upTo(0, 6), rest)
	})
}

func TestShutdownSaysThatTheDiskWasFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error { return errFull })
		in := start(t, Config{BatchSize: 4}, s)
		send(t, in, 0, 6)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		rest, err := in.Shutdown(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, errFull)
		require.Equal(t, upTo(0, 6), rest)
	})
}

func TestShutdownWaitsForADiskThatIsFreed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error {
			if time.Since(s.start) < 2*time.Second {
				return errFull
			}
			return nil
		})
		in := start(t, Config{BatchSize: 4}, s)
		send(t, in, 0, 6)
		rest, err := in.Shutdown(t.Context())
		require.NoError(t, err)
		require.Empty(t, rest)
		require.Equal(t, upTo(0, 6), s.written())
	})
}

func TestAbortHandsBackWhatWasNotWrittenInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error { time.Sleep(time.Second); return nil })
		in := start(t, Config{BufferSize: 600, BatchSize: 4}, s)
		tickets := send(t, in, 0, 600)
		waiting := make(chan error, 1)
		go func() {
			_, err := in.Send(t.Context(), 600)
			waiting <- err
		}()
		flush := make(chan error, 1)
		go func() { flush <- in.Flush(t.Context()) }()
		synctest.Wait()
		require.Equal(t, upTo(4, 600), in.Abort())
		require.Equal(t, time.Second, time.Since(s.start), "the batch in flight was awaited")
		require.ErrorIs(t, <-waiting, ErrClosed)
		require.ErrorIs(t, <-flush, ErrClosed, "it waited for what is not written")
		require.NoError(t, in.Flush(t.Context()))
		require.ErrorIs(t, tickets[599].Wait(t.Context()), ErrClosed)
		require.Empty(t, in.Abort())
		requireSum(t, in.Stats())
		for x, told := range s.told {
			require.Equal(t, x, told.item)
			require.Equal(t, x >= 4, told.err != nil)
		}
		require.Len(t, s.told, 600)
	})
}

func TestAbortDoesNotWaitForABackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error { return errFull })
		in := start(t, Config{}, s)
		send(t, in, 0, 3)
		time.Sleep(time.Minute + 7*ms)
		require.Equal(t, upTo(0, 3), in.Abort())
		require.Equal(t, time.Minute+7*ms, time.Since(s.start))
	})
}

func TestShutdownThatIsOvertakenByAbortSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error { return errFull })
		in := start(t, Config{}, s)
		send(t, in, 0, 3)
		type result struct {
			rest []int
			err  error
		}
		results := make(chan result, 1)
		go func() {
			rest, err := in.Shutdown(t.Context())
			results <- result{rest, err}
		}()
		synctest.Wait()
		aborted := in.Abort()
		r := <-results
		require.ErrorIs(t, r.err, ErrClosed)
		require.Equal(t, upTo(0, 3), append(aborted, r.rest...), "one of the two gets it")
	})
}

func TestAStreamThatCannotBeDrainedGoesOnAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error { return errFull })
		in := start(t, Config{BatchSize: 4}, s)
		send(t, in, 0, 6)
		time.Sleep(time.Minute)
		in.CloseIntake()
		_, err := in.TrySend(6)
		require.ErrorIs(t, err, ErrClosed)
		_, err = in.Send(t.Context(), 6)
		require.ErrorIs(t, err, ErrClosed)
		before := time.Now()
		require.Equal(t, errFull, in.Drain(t.Context()))
		require.Equal(t, before, time.Now(), "one attempt, made at once")
		in.Reopen()
		tickets := send(t, in, 6, 7)
		s.then(nil)
		require.NoError(t, tickets[0].Wait(t.Context()))
		require.Equal(t, upTo(0, 7), s.written())
	})
}

func TestDrainDoesNotShortenALaterBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error { time.Sleep(5 * ms); return errFull })
		in := start(t, Config{BatchSize: 2}, s)
		send(t, in, 0, 2)
		time.Sleep(ms) // the first attempt runs
		require.Equal(t, errFull, in.Drain(t.Context()))
		time.Sleep(50 * ms)
		require.Equal(t, []int{0, 15, 40}, s.times())
	})
}

func TestDrainEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error { time.Sleep(time.Hour); return nil })
		in := start(t, Config{BatchSize: 4}, s)
		send(t, in, 0, 6)
		in.CloseIntake()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, in.Drain(ctx), context.DeadlineExceeded)
		in.Reopen()
		send(t, in, 6, 7)
		require.NoError(t, in.Drain(t.Context()))
		require.Equal(t, upTo(0, 7), s.written())
	})
}

func TestADrainedStreamShutsDownWithNothingLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in := start(t, Config{}, s)
		send(t, in, 0, 300)
		in.CloseIntake()
		require.NoError(t, in.Drain(t.Context()))
		rest, err := in.Shutdown(t.Context())
		require.NoError(t, err)
		require.Empty(t, rest)
		in.Reopen()
		_, err = in.TrySend(300)
		require.ErrorIs(t, err, ErrClosed, "what was shut down stays shut down")
		require.Equal(t, upTo(0, 300), s.written())
	})
}

func TestShutdownWithAnEndedContextWritesNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in := start(t, Config{}, s)
		send(t, in, 0, 3)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		rest, err := in.Shutdown(ctx)
		require.Equal(t, 3, len(rest)+len(s.written()))
		require.Equal(t, len(rest) > 0, err != nil)
	})
}
