package streaming

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestI2_NoTicketReturnsBeforeSettledHas holds Settled up for every way in which items
// get their outcome: meanwhile none of their tickets, marks and counters tells it.
func TestI2_NoTicketReturnsBeforeSettledHas(t *testing.T) {
	for name, tc := range map[string]struct {
		held int // the item whose Settled is held up
		err  error
	}{
		"the drain goroutine settles":             {held: 0},
		"another goroutine settles, after fsyncs": {held: 8},
		"the end settles what was lost":           {held: 4, err: errDisk},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSink()
				w := &waits{wait: func(n int) error {
					time.Sleep(time.Second)
					if n == 1 {
						return tc.err
					}
					return nil
				}}
				reached, let := make(chan struct{}), make(chan struct{})
				in, err := New(Options[int]{
					Config:  Config{BatchSize: 4, FlushInterval: time.Hour},
					Flush:   s.flush,
					Durable: w.durable,
					Settled: func(items []int, err error) {
						if items[0] == tc.held {
							close(reached)
							<-let
						}
						s.settled(items, err)
					},
				})
				require.NoError(t, err)
				t.Cleanup(func() { in.Abort() })
				release := sync.OnceFunc(func() { close(let) })
				t.Cleanup(release) // before Abort, which waits for Settled
				var ticket Ticket
				var mark Mark
				for i := range 3 {
					x, err := in.SendGroup(t.Context(), upTo(4*i, 4*i+4))
					require.NoError(t, err)
					if 4*i == tc.held {
						ticket, mark = x, in.Mark()
					}
					synctest.Wait()
				}
				<-reached
				outcome := make(chan error, 1)
				go func() { outcome <- ticket.Wait(t.Context()) }()
				synctest.Wait()
				require.Empty(t, outcome, "the ticket is done while Settled runs")
				require.False(t, in.Reached(mark))
				require.GreaterOrEqual(t, in.Stats().Queued, 4)
				release()
				synctest.Wait()
				require.Len(t, outcome, 1)
				require.ErrorIs(t, <-outcome, tc.err)
				require.True(t, in.Reached(mark))
			})
		})
	}
}
