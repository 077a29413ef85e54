package streaming

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

const ms = time.Millisecond

func TestBatchSizePointsTriggerABatchAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in := start(t, Config{BatchSize: 4, FlushInterval: time.Hour}, s)
		send(t, in, 0, 3)
		synctest.Wait()
		require.Empty(t, s.sizes())
		send(t, in, 3, 4)
		synctest.Wait()
		require.Equal(t, []int{4}, s.sizes())
		require.Equal(t, []int{0}, s.times())
	})
}

func TestAPartialBatchLeavesAfterFlushInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in := start(t, Config{}, s)
		time.Sleep(20 * ms)
		send(t, in, 0, 1) // the batch begins here
		time.Sleep(30 * ms)
		send(t, in, 1, 2)
		time.Sleep(20*ms - 1)
		synctest.Wait()
		require.Empty(t, s.sizes())
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.Equal(t, []int{70}, s.times())
		require.Equal(t, []int{2}, s.sizes())
	})
}

func TestAnIdleStreamDoesNotFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in := start(t, Config{}, s)
		send(t, in, 0, 1)
		time.Sleep(time.Hour)
		require.Equal(t, []int{50}, s.times())
		send(t, in, 1, 2)
		time.Sleep(70 * ms)
		send(t, in, 2, 3) // 20 after that flush: its wait begins here
		time.Sleep(time.Hour)
		require.Equal(t, []int{50, 3600_050, 3600_120}, s.times())
	})
}

func TestASizeFlushRestartsTheTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in := start(t, Config{BatchSize: 4}, s)
		send(t, in, 0, 3)
		time.Sleep(30 * ms)
		send(t, in, 3, 5) // one too many
		time.Sleep(50*ms - 1)
		synctest.Wait()
		require.Equal(t, []int{30}, s.times())
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.Equal(t, []int{30, 80}, s.times())
		require.Equal(t, []int{4, 1}, s.sizes())
	})
}

func TestWhatCameDuringAFlushLeavesWithinFlushInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error { time.Sleep(30 * ms); return nil })
		in := start(t, Config{BatchSize: 4}, s)
		send(t, in, 0, 4) // written from 0 to 30
		time.Sleep(10 * ms)
		send(t, in, 4, 5)
		time.Sleep(time.Second)
		require.Equal(t, []int{0, 50}, s.times())
	})
}

func TestWhatCameDuringALateFlushLeavesAtItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error { time.Sleep(80 * ms); return nil })
		in := start(t, Config{BatchSize: 4}, s)
		send(t, in, 0, 4)
		time.Sleep(10 * ms)
		send(t, in, 4, 5)
		time.Sleep(time.Second)
		require.Equal(t, []int{0, 80}, s.times())
	})
}

func TestABatchLargerThanTheBufferLeavesByTimeAndFlushOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in := start(t, Config{BufferSize: 4, BatchSize: 5}, s)
		send(t, in, 0, 4)
		_, err := in.TrySend(4)
		require.ErrorIs(t, err, ErrBufferFull)
		time.Sleep(50*ms - 1)
		synctest.Wait()
		require.Empty(t, s.sizes())
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.Equal(t, []int{4}, s.sizes())
		send(t, in, 4, 8)
		require.NoError(t, in.Flush(t.Context()))
		require.Equal(t, []int{50, 50}, s.times())
	})
}

func TestFlushDoesNotWaitForTheTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in := start(t, Config{FlushInterval: time.Hour}, s)
		require.NoError(t, in.Flush(t.Context()))
		require.Empty(t, s.sizes(), "nothing to write")
		send(t, in, 0, 3)
		require.NoError(t, in.Flush(t.Context()))
		require.Equal(t, []int{0}, s.times())
	})
}

func TestAMarkIsReachedWhenAllBeforeItIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error { time.Sleep(5 * ms); return nil })
		in := start(t, Config{FlushInterval: time.Hour}, s)
		require.True(t, in.Reached(in.Mark()))
		send(t, in, 0, 3)
		m := in.Mark()
		require.False(t, in.Reached(m))
		require.NoError(t, in.WaitMark(t.Context(), m))
		require.True(t, in.Reached(m))
		require.Equal(t, upTo(0, 3), s.written())
		send(t, in, 3, 4)
		require.NoError(t, in.WaitMark(t.Context(), m), "what came later is of no concern")
		require.Equal(t, upTo(0, 3), s.written())
	})
}

func TestAMarkIsReachedWhenTheStreamIsDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error { return errDisk })
		in := start(t, Config{}, s)
		send(t, in, 0, 3)
		require.NoError(t, in.WaitMark(t.Context(), in.Mark()))
		require.ErrorIs(t, in.Err(), errDisk)
	})
}

func TestUnderABacklogAFlushHoldsSeveralBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error { time.Sleep(ms); return nil })
		in := start(t, Config{BatchSize: 4, FlushInterval: time.Hour}, s)
		n, _, err := in.TrySendBatch(upTo(0, 400))
		require.NoError(t, err)
		require.Equal(t, 400, n)
		time.Sleep(time.Second)
		require.Equal(t, []int{4, 8, 16, 32, 64, 64, 64, 64, 64, 20}, s.sizes())
		require.Equal(t, upTo(0, 400), s.written())
		send(t, in, 400, 404)
		time.Sleep(time.Second)
		require.Equal(t, 4, s.sizes()[10], "without a backlog a batch is BatchSize")
	})
}

func TestLateFlushesAreHalvedWhileASingleBatchIsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(_ context.Context, items []int) error {
			time.Sleep(time.Duration(len(items)) * ms) // 12 items are as much as FlushInterval
			return nil
		})
		in := start(t, Config{BatchSize: 4, FlushInterval: 12 * ms}, s)
		_, _, err := in.TrySendBatch(upTo(0, 64))
		require.NoError(t, err)
		time.Sleep(time.Second)
		require.Equal(t, []int{4, 8, 16, 8, 16, 8, 4}, s.sizes())
	})
}

func TestASlowDiskGetsLargeBatchesAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error { time.Sleep(100 * ms); return nil })
		in := start(t, Config{BatchSize: 4}, s)
		_, _, err := in.TrySendBatch(upTo(0, 124))
		require.NoError(t, err)
		time.Sleep(time.Minute)
		require.Equal(t, []int{4, 8, 16, 32, 64}, s.sizes())
	})
}

func TestAQuarterOfTheBytesFillsABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in := start(t, Config{MaxBytes: 8 * 16, FlushInterval: time.Hour}, s) // 16 items
		send(t, in, 0, 3)
		synctest.Wait()
		require.Empty(t, s.sizes())
		send(t, in, 3, 4)
		synctest.Wait()
		require.Equal(t, []int{4}, s.sizes())
		_, _, err := in.TrySendBatch(upTo(4, 20))
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, []int{4, 4, 4, 4, 4}, s.sizes())
	})
}

func TestWhatIsLeftOfABacklogDoesNotWaitForAnInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error { time.Sleep(ms); return nil })
		in := start(t, Config{BatchSize: 4, FlushInterval: time.Hour}, s)
		_, _, err := in.TrySendBatch(upTo(0, 66))
		require.NoError(t, err)
		time.Sleep(time.Second)
		require.Equal(t, []int{4, 8, 16, 32, 6}, s.sizes())
	})
}
