package collection

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// procs sets GOMAXPROCS for a test: as many workers as n may run at once.
func procs(t *testing.T, n int) {
	before := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

func TestWhoWaitsLongestIsNextHoweverOftenOthersComeBack(t *testing.T) {
	procs(t, 1)
	synctest.Test(t, func(t *testing.T) {
		var w crew
		require.NoError(t, w.acquire(t.Context(), pressing))
		var order []string
		var wg sync.WaitGroup
		for _, who := range []struct {
			name string
			r    rank
		}{{"audit", leisurely}, {"first", pressing}, {"second", pressing}, {"another audit", leisurely}} {
			wg.Go(func() {
				require.NoError(t, w.acquire(t.Context(), who.r))
				order = append(order, who.name)
				w.release()
			})
			synctest.Wait()
		}
		w.release()
		require.NoError(t, w.acquire(t.Context(), pressing), "who has just been inside waits too")
		order = append(order, "again")
		w.release()
		wg.Wait()
		require.Equal(t, []string{"first", "second", "again", "audit", "another audit"}, order)
	})
}

func TestD06_WhoGivesUpWaitingTakesNoPlaceWithHim(t *testing.T) {
	procs(t, 2)
	var w crew
	var inside, most atomic.Int32
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 500 {
				ctx, cancel := context.WithCancel(t.Context())
				if i%2 == 0 {
					go cancel()
				}
				if w.acquire(ctx, rank(n%2)) == nil {
					if now := inside.Add(1); now > most.Load() {
						most.Store(now)
					}
					inside.Add(-1)
					w.release()
				}
				cancel()
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, most.Load(), int32(2))
	require.Zero(t, w.running, "every place came back")
	require.Empty(t, w.waiting[pressing])
	require.Empty(t, w.waiting[leisurely])
}

func TestWorkersLeaveAProcessorWhileSearchesRunUnlessAWriterWaits(t *testing.T) {
	procs(t, 3)
	var w crew
	require.Equal(t, 3, w.limit())
	require.NoError(t, w.acquire(t.Context(), pressing))
	w.searches.Add(1)
	w.release()
	require.Equal(t, 2, w.limit(), "a search ran")
	w.urge()
	require.Equal(t, 3, w.limit(), "a writer waits")
	w.calm()
	for range quietUnits {
		require.Equal(t, 2, w.limit())
		require.NoError(t, w.acquire(t.Context(), pressing))
		w.release()
	}
	require.Equal(t, 3, w.limit(), "no search for long")
	procs(t, 1)
	w.busy.Store(1)
	require.Equal(t, 1, w.limit(), "one processor is shared")
}

func TestAuditsDoNotStarveBehindWorkWithoutEnd(t *testing.T) {
	procs(t, 1)
	synctest.Test(t, func(t *testing.T) {
		var w crew
		require.NoError(t, w.acquire(t.Context(), pressing))
		var order []rank
		var wg sync.WaitGroup
		for _, r := range append(slices.Repeat([]rank{pressing}, 40), leisurely, leisurely) {
			wg.Go(func() {
				require.NoError(t, w.acquire(t.Context(), r))
				order = append(order, r)
				w.release()
			})
			synctest.Wait()
		}
		w.release()
		wg.Wait()
		require.Equal(t, patientFor, slices.Index(order, leisurely))
		require.Equal(t, patientFor, slices.Index(order[patientFor+1:], leisurely))
	})
}

func TestWorkersStandAsideForABurstUnlessSomebodySearchesOrWaits(t *testing.T) {
	procs(t, 2)
	synctest.Test(t, func(t *testing.T) {
		var w crew
		w.standAside()
		require.Zero(t, w.limit())
		inside := make(chan struct{})
		go func() {
			if w.acquire(t.Context(), pressing) == nil {
				close(inside)
			}
		}()
		synctest.Wait()
		require.Zero(t, w.running)
		w.write()
		w.wrote()
		require.Zero(t, w.running, "the end of one batch is not the end of the burst")
		w.searches.Add(1)
		require.Equal(t, 2, w.limit(), "a search must not find a delta that grows and grows")
		w.searches.Add(^uint64(0))
		w.urge()
		<-inside
		require.Equal(t, 2, w.limit(), "a writer waits for the delta")
		w.calm()
		w.release()
		require.Zero(t, w.limit())
		go func() { _ = w.acquire(t.Context(), pressing) }()
		synctest.Wait()
		require.Zero(t, w.running)
		w.goOn()
		synctest.Wait()
		require.Equal(t, 1, w.running, "who waited goes on at the end of the burst")
	})
}

func TestWhoeverStandsAsideIsLetInByTheNextBatchOnceSomebodySearches(t *testing.T) {
	procs(t, 2)
	synctest.Test(t, func(t *testing.T) {
		var w crew
		w.standAside()
		go func() { _ = w.acquire(t.Context(), pressing) }()
		synctest.Wait()
		w.searches.Add(1)
		w.write()
		w.wrote()
		synctest.Wait()
		require.Equal(t, 1, w.running)
	})
}
