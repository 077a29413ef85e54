package streaming

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestATicketIsDoneWhenItsItemIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in := start(t, Config{}, s)
		tickets := send(t, in, 0, 3)
		soon, cancel := context.WithTimeout(t.Context(), 10*ms)
		defer cancel()
		require.ErrorIs(t, tickets[1].Wait(soon), context.DeadlineExceeded)
		require.NoError(t, tickets[1].Wait(t.Context()))
		require.Equal(t, 50*ms, time.Since(s.start))
		require.NoError(t, tickets[2].Wait(soon), "an outcome that is known counts more than a context")
		require.NoError(t, Ticket{}.Wait(soon))
	})
}

func TestWhoStopsWaitingIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := start(t, Config{FlushInterval: time.Hour}, newSink())
		ctx, cancel := context.WithCancel(t.Context())
		for _, ticket := range send(t, in, 0, 10) {
			go ticket.Wait(ctx)
		}
		synctest.Wait()
		require.Len(t, in.watchers.heap, 10)
		cancel()
		synctest.Wait()
		require.Empty(t, in.watchers.heap)
	})
}

func TestAStreamKeepsNothingOfWhatWasWritten(t *testing.T) {
	in, err := New(Options[*[64]int]{Flush: func(context.Context, []*[64]int) error { return nil }})
	require.NoError(t, err)
	defer in.Abort()
	var weaks []weak.Pointer[[64]int]
	for range 1000 {
		item := new([64]int)
		weaks = append(weaks, weak.Make(item))
		_, err := in.TrySend(item)
		require.NoError(t, err)
	}
	require.NoError(t, in.Flush(t.Context()))
	runtime.GC()
	for _, w := range weaks {
		require.Nil(t, w.Value())
	}
}

func TestI2_ItemsAreSettledBeforeTheirTicketsReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		in := start(t, Config{}, s)
		for x, ticket := range send(t, in, 0, 5) {
			require.NoError(t, ticket.Wait(t.Context()))
			s.mu.Lock()
			require.GreaterOrEqual(t, len(s.told), x+1)
			require.Equal(t, settled{x, nil}, s.told[x])
			s.mu.Unlock()
		}
	})
}

func TestAPoisonPointFailsItsOwnTicketOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		errPoison := errors.New("poison")
		s.then(func(_ context.Context, items []int) error {
			for i, x := range items {
				if x == 7777 {
					return fmt.Errorf("batch: %w", &PartialError{[]FailedRange{{i, i + 1, errPoison}}})
				}
			}
			return nil
		})
		in := start(t, Config{}, s)
		tickets := send(t, in, 0, 10_000)
		err := in.Flush(t.Context())
		require.ErrorIs(t, err, errPoison)
		require.EqualError(t, err, "1 items were not written: poison")
		for x, ticket := range tickets {
			if x == 7777 {
				require.ErrorIs(t, ticket.Wait(t.Context()), errPoison)
			} else {
				require.NoError(t, ticket.Wait(t.Context()))
			}
			require.Equal(t, x, s.told[x].item)
			require.Equal(t, x == 7777, s.told[x].err != nil)
		}
		require.NoError(t, in.Flush(t.Context()), "it was told")
		stats := in.Stats()
		requireSum(t, stats)
		require.EqualValues(t, 1, stats.Failed)
		require.EqualValues(t, 9999, stats.Written)
		require.ErrorIs(t, stats.LastError, errPoison)
		send(t, in, 0, 1)
		require.NoError(t, in.Flush(t.Context()))
	})
}

func TestABatchTicketTellsOfTheFirstItemThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(context.Context, []int) error {
			return &PartialError{[]FailedRange{{2, 3, errDisk}, {3, 4, errFull}}}
		})
		in := start(t, Config{BatchSize: 5}, s)
		_, first, err := in.TrySendBatch(upTo(0, 2))
		require.NoError(t, err)
		_, second, err := in.TrySendBatch(upTo(2, 5))
		require.NoError(t, err)
		require.NoError(t, first.Wait(t.Context()))
		require.Equal(t, errDisk, second.Wait(t.Context()))
	})
}

func TestAPartialErrorThatNamesNoItemsOfTheBatchIsTheDeathOfTheStream(t *testing.T) {
	for name, failed := range map[string][]FailedRange{
		"past the end":   {{0, 4, errDisk}},
		"empty":          {{1, 1, errDisk}},
		"overlapping":    {{0, 2, errDisk}, {1, 3, errDisk}},
		"without reason": {{0, 1, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSink()
				s.then(func(context.Context, []int) error { return &PartialError{failed} })
				in := start(t, Config{BatchSize: 3}, s)
				tickets := send(t, in, 0, 3)
				require.ErrorIs(t, tickets[0].Wait(t.Context()), ErrStreamDead)
				require.Equal(t, upTo(0, 3), in.Abort())
			})
		})
	}
}

func TestI7_AnOutcomeThatIsForgottenIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		s.then(func(_ context.Context, items []int) error {
			part := &PartialError{}
			for i, x := range items {
				if x%2 == 1 {
					part.Failed = append(part.Failed, FailedRange{i, i + 1, fmt.Errorf("item %d", x)})
				}
			}
			return part
		})
		in := start(t, Config{BufferSize: 6 * keptFailures}, s)
		tickets := send(t, in, 0, 6*keptFailures)
		require.Error(t, in.Flush(t.Context()))
		forgotten := 0
		for x, ticket := range tickets {
			err := ticket.Wait(t.Context())
			switch {
			case errors.Is(err, ErrForgotten):
				require.Equal(t, forgotten, x, "the oldest are forgotten first")
				forgotten++
			case x%2 == 1:
				require.EqualError(t, err, fmt.Sprintf("item %d", x))
			default:
				require.NoError(t, err)
			}
		}
		require.Greater(t, forgotten, 0)
		require.LessOrEqual(t, forgotten, 4*keptFailures, "the newest are kept")
	})
}

func TestFailuresEqualAList(t *testing.T) {
	errs := []error{nil, errDisk, errFull}
	rapid.Check(t, func(t *rapid.T) {
		var f failures
		fate := []error{nil} // items are counted from 1
		for _, e := range rapid.SliceOfN(rapid.IntRange(0, 2), 1, 60).Draw(t, "fates") {
			n := uint64(len(fate))
			fate = append(fate, errs[e])
			if errs[e] != nil {
				f.add(n, n, errs[e])
			}
		}
		from := rapid.IntRange(1, len(fate)-1).Draw(t, "from")
		to := rapid.IntRange(from, len(fate)-1).Draw(t, "to")
		var want error
		count := uint64(0)
		for _, err := range fate[from : to+1] {
			if want == nil {
				want = err
			}
			if err != nil {
				count++
			}
		}
		require.Equal(t, want, f.find(uint64(from), uint64(to)))
		require.Equal(t, count, f.count(uint64(from), uint64(to)))
	})
}

func TestWatchersLeaveInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w watchers
		here := map[*watcher]bool{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				for _, x := range w.upTo(uint64(rapid.IntRange(0, 30).Draw(t, "to"))) {
					require.True(t, here[x])
					delete(here, x)
				}
			case 1:
				for x := range here {
					w.remove(x)
					delete(here, x)
					w.remove(x) // again: nothing
					break
				}
			default:
				here[w.add(uint64(rapid.IntRange(0, 30).Draw(t, "seq")))] = true
			}
			to := uint64(rapid.IntRange(0, 30).Draw(t, "bound"))
			out := w.upTo(to)
			for i, x := range out {
				require.True(t, i == 0 || out[i-1].seq <= x.seq)
				delete(here, x)
			}
			for x := range here {
				require.Greater(t, x.seq, to)
			}
		}
	})
}
