package streaming

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestD12_AFullQueueRefusesAtOnceAndStoresNothingOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		gate := make(chan struct{})
		s.then(func(context.Context, []int) error { <-gate; return nil })
		in := start(t, Config{BufferSize: 10, BatchSize: 4}, s)
		accepted, refused := 0, 0
		for x := range 100 {
			_, err := in.TrySend(x)
			if err == nil {
				accepted++
				continue
			}
			require.ErrorIs(t, err, ErrBufferFull)
			refused++
			if x == 50 {
				gate <- struct{}{} // room for four more
				synctest.Wait()
			}
		}
		close(gate)
		require.NoError(t, in.Flush(t.Context()))
		require.Equal(t, 14, accepted)
		require.Len(t, s.written(), accepted)
		stats := in.Stats()
		requireSum(t, stats)
		require.EqualValues(t, accepted, stats.Written)
		require.EqualValues(t, refused, stats.Rejected)
	})
}

func TestABatchIsAcceptedAsFarAsThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in := start(t, Config{BufferSize: 10, BatchSize: 20}, s)
		n, ticket, err := in.TrySendBatch(upTo(0, 15))
		require.ErrorIs(t, err, ErrBufferFull)
		require.Equal(t, 10, n)
		require.NoError(t, ticket.Wait(t.Context()))
		require.Equal(t, upTo(0, 10), s.written())
		require.EqualValues(t, 5, in.Stats().Rejected)
		n, ticket, err = in.TrySendBatch(nil)
		require.NoError(t, err)
		require.Zero(t, n)
		require.NoError(t, ticket.Wait(t.Context()))
	})
}

func TestSendWaitsForRoomInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in := start(t, Config{BufferSize: 2, BatchSize: 3}, s)
		send(t, in, 0, 2)
		for x := 2; x < 8; x++ {
			go in.Send(t.Context(), x)
			synctest.Wait()
		}
		_, err := in.TrySend(99)
		require.ErrorIs(t, err, ErrBufferFull)
		time.Sleep(time.Second)
		require.Equal(t, upTo(0, 8), s.written())
		require.Equal(t, []int{50, 100, 150, 200}, s.times())
	})
}

func TestI6_NobodyGetsBetweenTheItemsOfABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in := start(t, Config{BufferSize: 4, BatchSize: 2, FlushInterval: time.Hour}, s)
		s.then(func(context.Context, []int) error { time.Sleep(ms); return nil })
		done := make(chan Ticket)
		go func() {
			n, ticket, err := in.SendBatch(t.Context(), upTo(0, 50))
			assert.NoError(t, err)
			assert.Equal(t, 50, n)
			done <- ticket
		}()
		synctest.Wait()
		_, err := in.Send(t.Context(), 50)
		require.NoError(t, err)
		ticket := <-done
		require.Equal(t, Ticket{&in.core, 1, 50}, ticket)
		require.NoError(t, in.Flush(t.Context()))
		require.Equal(t, upTo(0, 51), s.written())
		require.LessOrEqual(t, in.Stats().Queued, 4)
	})
}

func TestD06_ASenderWhoseContextEndsIsNotAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in := start(t, Config{BufferSize: 4, BatchSize: 5, FlushInterval: time.Hour}, s)
		over, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := in.Send(over, 0)
		require.ErrorIs(t, err, context.Canceled)
		_, err = in.SendGroup(over, []int{0})
		require.ErrorIs(t, err, context.Canceled)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		n, ticket, err := in.SendBatch(ctx, upTo(0, 7))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 4, n)
		_, err = in.Send(ctx, 7)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = in.TrySend(8)
		require.ErrorIs(t, err, ErrBufferFull, "the line is empty, the queue is not")
		require.NoError(t, in.Flush(t.Context()))
		require.NoError(t, ticket.Wait(over))
		require.Equal(t, upTo(0, 4), s.written())
		require.EqualValues(t, 1+1+3+1+1, in.Stats().Rejected)
	})
}

func TestWhoGivesUpLetsInTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in := start(t, Config{BufferSize: 4, BatchSize: 5, FlushInterval: time.Hour}, s)
		send(t, in, 0, 2)
		ctx, cancel := context.WithCancel(t.Context())
		go in.SendGroup(ctx, upTo(10, 14))
		synctest.Wait()
		go in.Send(t.Context(), 2)
		synctest.Wait()
		require.Equal(t, 2, in.Stats().Queued)
		cancel()
		synctest.Wait()
		require.Equal(t, 3, in.Stats().Queued)
		require.NoError(t, in.Flush(t.Context()))
		require.Equal(t, upTo(0, 3), s.written())
	})
}

func TestWhatNeverFitsIsTooLarge(t *testing.T) {
	size := func(x int) int { return x }
	in, err := New(Options[int]{
		Config: Config{BufferSize: 3, BatchSize: 5, MaxBytes: 100},
		Flush:  func(context.Context, []int) error { return nil },
		Size:   size,
	})
	require.NoError(t, err)
	defer in.Abort()
	_, err = in.TrySend(101)
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = in.Send(t.Context(), 101)
	require.ErrorIs(t, err, ErrTooLarge)
	n, _, err := in.TrySendBatch([]int{1, 101})
	require.ErrorIs(t, err, ErrTooLarge)
	require.Zero(t, n, "all are looked at before any is accepted")
	_, _, err = in.SendBatch(t.Context(), []int{1, 101})
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = in.SendGroup(t.Context(), []int{1, 1, 1, 1})
	require.ErrorIs(t, err, ErrTooLarge, "four points")
	_, err = in.SendGroup(t.Context(), []int{50, 51})
	require.ErrorIs(t, err, ErrTooLarge, "101 bytes")
	_, err = in.SendGroup(t.Context(), []int{50, 50})
	require.NoError(t, err)
	require.NoError(t, in.Flush(t.Context()))
	require.EqualValues(t, 1+1+2+2+4+2, in.Stats().Rejected)
	require.EqualValues(t, 2, in.Stats().Written)
}

func TestTheQueueIsBoundedInBytesToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		gate := make(chan struct{})
		s.then(func(context.Context, []int) error { <-gate; return nil })
		in := start(t, Config{MaxBytes: 80}, s)
		send(t, in, 0, 10)
		_, err := in.TrySend(10)
		require.ErrorIs(t, err, ErrBufferFull)
		close(gate)
		require.NoError(t, in.Flush(t.Context()))
		send(t, in, 10, 20)
	})
}

func TestE06_ABadConfigIsAnErrorThatNamesEveryBadField(t *testing.T) {
	for name, c := range map[string]Config{
		"negative": {-1, -1, -1, -1},
		"huge":     {MaxBufferSize + 1, MaxBatchSize + 1, MaxFlushInterval + 1, MaxMaxBytes + 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Options[int]{Config: c})
			for _, field := range []string{"BufferSize", "BatchSize", "FlushInterval", "MaxBytes", "Flush is missing"} {
				require.ErrorContains(t, err, field)
			}
		})
	}
	require.NoError(t, Config{MaxBufferSize, MaxBatchSize, MaxFlushInterval, MaxMaxBytes}.Validate())
}

func TestTheDefaultsAreTenThousand128And50Milliseconds(t *testing.T) {
	require.Equal(t, Config{10_000, 128, 50 * ms, 64 << 20}, Config{}.WithDefaults())
	require.Equal(t, 2*ms, Config{FlushInterval: ms + 1}.WithDefaults().FlushInterval)
	require.Equal(t, ms, Config{FlushInterval: 1}.WithDefaults().FlushInterval)
	in := start(t, Config{BatchSize: 7}, newSink())
	require.Equal(t, Config{10_000, 7, 50 * ms, 64 << 20}, in.Config())
}

func TestPointsRefusedElsewhereAreCounted(t *testing.T) {
	in := start(t, Config{}, newSink())
	in.CountRejected(3)
	require.EqualValues(t, 3, in.Stats().Rejected)
}

func TestAPartialErrorSaysHowManyFailed(t *testing.T) {
	err := &PartialError{[]FailedRange{{1, 3, errDisk}, {5, 6, errFull}}}
	require.EqualError(t, err, "3 items failed, the first: disk is gone")
	require.True(t, errors.Is(err, errFull))
	require.EqualError(t, &PartialError{}, "no item failed")
}

func TestALargeItemThatFindsNoRoomMakesAPartialBatchLeave(t *testing.T) {
	for _, try := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			in, err := New(Options[int]{
				Config: Config{MaxBytes: 100, FlushInterval: time.Hour},
				Flush:  func(context.Context, []int) error { return nil },
				Size:   func(bytes int) int { return bytes },
			})
			require.NoError(t, err)
			defer in.Abort()
			begun := time.Now()
			send(t, in, 20, 21) // less than the quarter that makes a batch full
			if try {
				_, err = in.TrySend(95)
				require.ErrorIs(t, err, ErrBufferFull)
				synctest.Wait()
				_, err = in.TrySend(95)
			} else {
				_, err = in.Send(context.Background(), 95)
			}
			require.NoError(t, err)
			require.Zero(t, time.Since(begun))
		})
	}
}
