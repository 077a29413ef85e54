package streaming

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestI5_AGroupIsOneFlushOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in := start(t, Config{BatchSize: 4, FlushInterval: time.Hour}, s)
		send(t, in, 0, 2)
		one, err := in.SendGroup(t.Context(), []int{10})
		require.NoError(t, err)
		synctest.Wait()
		require.Empty(t, s.sizes(), "three points make no batch")
		large, err := in.SendGroup(t.Context(), upTo(20, 29))
		require.NoError(t, err)
		next, err := in.SendGroup(t.Context(), upTo(30, 32))
		require.NoError(t, err)
		send(t, in, 2, 3)
		require.NoError(t, in.Flush(t.Context()))
		require.Equal(t, []int{2, 1, 9, 2, 1}, s.sizes())
		for _, ticket := range []Ticket{one, large, next} {
			require.NoError(t, ticket.Wait(t.Context()))
		}
	})
}

func TestPointsBehindASmallGroupLeaveWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in := start(t, Config{BatchSize: 4, FlushInterval: time.Hour}, s)
		_, err := in.SendGroup(t.Context(), []int{10})
		require.NoError(t, err)
		send(t, in, 0, 3) // the fourth point
		synctest.Wait()
		require.Equal(t, []int{1, 3}, s.sizes())
	})
}

func TestAMarkerIsAGroupOfNoPoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in := start(t, Config{BufferSize: 2, BatchSize: 2}, s)
		ticket, err := in.SendGroup(t.Context(), []int{-1})
		require.NoError(t, err)
		require.Zero(t, in.Stats().Queued)
		require.NoError(t, ticket.Wait(t.Context()))
		require.Equal(t, []int{50}, s.times())
		require.Equal(t, []int{-1}, s.written())
		require.Equal(t, Stats{Batches: 1}, in.Stats())
		_, err = in.SendGroup(t.Context(), nil)
		require.NoError(t, err)
	})
}

func TestAGroupThatWaitsForRoomMakesPartialBatchesLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in := start(t, Config{BufferSize: 10, BatchSize: 4, FlushInterval: time.Hour}, s)
		send(t, in, 0, 1)
		_, err := in.SendGroup(t.Context(), upTo(1, 11))
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, []int{1, 10}, s.sizes())
		require.Equal(t, []int{0, 0}, s.times())
	})
}

func TestAGroupThatWaitsDoesNotHurryAStreamThatTimeAndFlushTrigger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in := start(t, Config{BufferSize: 10, BatchSize: 11}, s)
		send(t, in, 0, 1)
		_, err := in.SendGroup(t.Context(), upTo(1, 11))
		require.NoError(t, err)
		require.NoError(t, in.Flush(t.Context()))
		require.Equal(t, []int{50, 50}, s.times())
	})
}

func TestAGroupIsNeverAcceptedInPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(ctx context.Context, _ []int) error { <-ctx.Done(); return ctx.Err() })
		in := start(t, Config{BufferSize: 10, BatchSize: 4}, s)
		send(t, in, 0, 4)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := in.SendGroup(ctx, upTo(4, 11))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 4, in.Stats().Queued)
		require.EqualValues(t, 7, in.Stats().Rejected)
		require.Equal(t, upTo(0, 4), in.Abort())
	})
}

func TestI4_MarkersTakeTheRoomOfPoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := start(t, Config{BufferSize: 3, BatchSize: 5, FlushInterval: time.Hour}, newSink())
		for range 3 {
			_, err := in.SendGroup(context.Background(), []int{-1})
			require.NoError(t, err)
		}
		_, err := in.TrySend(-1)
		require.ErrorIs(t, err, ErrBufferFull)
		_, err = in.TrySend(1)
		require.ErrorIs(t, err, ErrBufferFull)
		require.Zero(t, in.Stats().Queued)
		require.NoError(t, in.Flush(context.Background()))
	})
}
