package streaming

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// waits is a Durable whose calls are counted: wait, of the n-th batch from 0.
type waits struct {
	wait  func(n int) error
	asked atomic.Int64
	calls [100]atomic.Int64 // by batch
}

func (w *waits) durable() func() error {
	n := int(w.asked.Add(1)) - 1
	return func() error {
		w.calls[n].Add(1)
		return w.wait(n)
	}
}

// inFlight makes a stream of groups of four of which the first is settled after a second
// and the others wait for the disk together; last is the ticket of the newest.
func inFlight(t *testing.T, w *waits, groups int) (in *Ingester[int], s *sink, last Ticket) {
	s = newSink()
	in, err := New(Options[int]{Config: Config{BatchSize: 4, FlushInterval: time.Hour}, Flush: s.flush, Durable: w.durable, Settled: s.settled})
	require.NoError(t, err)
	t.Cleanup(func() { in.Abort() })
	for i := range groups {
		last, err = in.SendGroup(t.Context(), upTo(4*i, 4*i+4))
		require.NoError(t, err)
		synctest.Wait()
	}
	return in, s, last
}

func TestAWaitThatEndsItsGoroutineBesideTheNextFlushIsTheCauseOfDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &waits{wait: func(n int) error {
			time.Sleep(time.Second)
			if n == 2 {
				runtime.Goexit()
			}
			return nil
		}}
		in, _, last := inFlight(t, w, 6)
		require.ErrorIs(t, last.Wait(t.Context()), errGoexit, "though nobody sends, flushes or ends it")
		require.Equal(t, upTo(8, 24), in.Abort())
		for n := range 6 {
			require.EqualValues(t, 1, w.calls[n].Load(), "batch %d", n)
		}
	})
}

func TestEveryBatchThatWasFlushedIsWaitedForOnceThoughOneBeforeItIsLost(t *testing.T) {
	for lost := range 5 {
		synctest.Test(t, func(t *testing.T) {
			w := &waits{wait: func(n int) error {
				time.Sleep(time.Second)
				if n == lost {
					return errDisk
				}
				return nil
			}}
			in, s, last := inFlight(t, w, 5)
			require.ErrorIs(t, last.Wait(t.Context()), errDisk)
			require.Equal(t, upTo(4*lost, 20), in.Abort())
			for n := range int(w.asked.Load()) {
				require.EqualValues(t, 1, w.calls[n].Load(), "of %d flushed the %dth, the %dth is lost", len(s.sizes()), n, lost)
			}
			requireSum(t, in.Stats())
			require.EqualValues(t, 4*lost, in.Stats().Written)
		})
	}
}

func TestI4_WhoWaitsForRoomIsLetInByWhatIsSettledAndNotByWhatIsFlushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		w := &waits{wait: func(int) error { time.Sleep(time.Second); return nil }}
		in, err := New(Options[int]{Config: Config{BufferSize: 8, BatchSize: 2, FlushInterval: time.Hour}, Flush: s.flush, Durable: w.durable, Settled: s.settled})
		require.NoError(t, err)
		begun := time.Now()
		_, ticket, err := in.SendBatch(t.Context(), upTo(0, 40))
		require.NoError(t, err)
		require.LessOrEqual(t, len(s.written())-s.tellings(), 8)
		require.GreaterOrEqual(t, s.tellings(), 32, "all but a queue of them are durable when the last is accepted")
		require.NoError(t, ticket.Wait(t.Context()))
		require.Less(t, time.Since(begun), time.Hour, "no timer was needed")
		require.Equal(t, upTo(0, 40), s.written())
		require.Empty(t, in.Abort())
	})
}

func TestAStreamWithManyMoreBatchesInFlightThanItKeepsTrackOfGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		w := &waits{wait: func(n int) error {
			if n < 2 {
				time.Sleep(time.Second)
			}
			return nil
		}}
		in, err := New(Options[int]{Config: Config{BatchSize: 4, FlushInterval: time.Hour}, Flush: s.flush, Durable: w.durable, Settled: s.settled})
		require.NoError(t, err)
		var last Ticket
		for i := range mostOut + 30 {
			last, err = in.SendGroup(t.Context(), upTo(4*i, 4*i+4))
			require.NoError(t, err)
		}
		time.Sleep(1500 * ms)
		synctest.Wait()
		require.LessOrEqual(t, len(s.sizes()), mostOut+3)
		require.GreaterOrEqual(t, len(s.sizes()), mostOut)
		require.NoError(t, last.Wait(t.Context()))
		require.Equal(t, upTo(0, 4*(mostOut+30)), s.written())
		require.Empty(t, in.Abort())
	})
}

// twoInFlight makes a stream of which two batches wait for the disk, for another half
// second at least, and nothing else is queued.
func twoInFlight(t *testing.T) (*Ingester[int], *sink) {
	s := newSink()
	w := &waits{wait: func(int) error { time.Sleep(time.Second); return nil }}
	in, err := New(Options[int]{
		Config: Config{BatchSize: 4, FlushInterval: time.Hour, MaxBytes: 256}, Size: func(int) int { return 8 },
		Flush: s.flush, Durable: w.durable, Settled: s.settled,
	})
	require.NoError(t, err)
	t.Cleanup(func() { in.Abort() })
	for i := range 3 {
		_, err := in.SendGroup(t.Context(), upTo(4*i, 4*i+4))
		require.NoError(t, err)
		synctest.Wait()
	}
	time.Sleep(1500 * ms)
	synctest.Wait()
	require.Equal(t, []int{4, 4, 4}, s.sizes())
	require.Equal(t, 4, s.tellings())
	return in, s
}

func TestWhatIsInFlightMakesNoBatchFullAndIsNoBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, s := twoInFlight(t)
		require.Equal(t, 1, in.drain.reach, "nothing waits to be flushed")
		flushed := make(chan error, 1)
		go func() { flushed <- in.Flush(t.Context()) }()
		synctest.Wait()
		send(t, in, 12, 15)
		synctest.Wait()
		require.Len(t, s.sizes(), 3, "they are no batch, and Flush was called before they came")
		send(t, in, 15, 16)
		synctest.Wait()
		require.Equal(t, []int{4, 4, 4, 4}, s.sizes())
		require.Equal(t, 4, s.tellings())
		require.NoError(t, <-flushed)
		require.Equal(t, 12, s.tellings())
	})
}

func TestShutdownReturnsWhenAllThatIsInFlightIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, s := twoInFlight(t)
		rest, err := in.Shutdown(t.Context())
		require.NoError(t, err)
		require.Empty(t, rest)
		require.Equal(t, 12, s.tellings())
		require.EqualValues(t, 12, in.Stats().Written)
	})
}
