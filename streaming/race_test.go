package streaming

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestI3_CountersAddUpWhileManyProducersSend(t *testing.T) {
	const producers, each = 8, 2000
	s := newSink()
	var flushes atomic.Int64
	s.then(func(context.Context, []int) error {
		if flushes.Add(1)%17 == 0 {
			return errFull
		}
		return nil
	})
	in := start(t, Config{BufferSize: 500, BatchSize: 64, FlushInterval: ms}, s)
	var stop atomic.Bool
	var watchers sync.WaitGroup
	for range 3 {
		watchers.Go(func() {
			for !stop.Load() {
				for range 50 { // without a pause: a writer between two counters is to be caught
					stats := in.Stats()
					if stats.Accepted != stats.Written+stats.Failed+uint64(stats.Queued) || stats.Queued > 500 {
						t.Errorf("%+v", stats)
						return
					}
				}
				runtime.Gosched()
			}
		})
	}
	var refused atomic.Int64
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() { produce(t, in, p*each, (p+1)*each, &refused) })
	}
	wg.Wait()
	stop.Store(true)
	watchers.Wait()
	rest, err := in.Shutdown(t.Context())
	require.NoError(t, err)
	require.Empty(t, rest)

	written := s.written()
	last := map[int]int{}
	for _, x := range written {
		p := x / each
		require.Greater(t, x, last[p]-1, "each producer's items are in its order")
		last[p] = x
	}
	slices.Sort(written)
	require.Equal(t, upTo(0, producers*each), written, "all of them, once")
	stats := in.Stats()
	requireSum(t, stats)
	require.EqualValues(t, refused.Load(), stats.Rejected)
}

// produce sends items in all ways there are, until each is accepted.
func produce(t *testing.T, in *Ingester[int], from, to int, refused *atomic.Int64) {
	ctx := context.Background()
	for x := from; x < to; {
		switch (x / 7) % 4 {
		case 0:
			ticket, err := in.TrySend(x)
			if errors.Is(err, ErrBufferFull) {
				refused.Add(1)
				runtime.Gosched()
				continue
			}
			x++
			assert.NoError(t, err)
			if x%64 == 0 {
				assert.NoError(t, ticket.Wait(ctx))
			}
		case 1:
			_, err := in.Send(ctx, x)
			assert.NoError(t, err)
			x++
		case 2:
			n, _, err := in.SendBatch(ctx, upTo(x, min(to, x+20)))
			assert.NoError(t, err)
			x += n
		default:
			items := upTo(x, min(to, x+20))
			_, err := in.SendGroup(ctx, items)
			assert.NoError(t, err)
			x += len(items)
		}
	}
}

func TestD07_AbortBesideProducersLosesNothing(t *testing.T) {
	for range 50 {
		s := newSink()
		in := start(t, Config{BufferSize: 100, BatchSize: 8, FlushInterval: ms}, s)
		var mu sync.Mutex
		var accepted []int
		var wg sync.WaitGroup
		for p := range 4 {
			wg.Go(func() {
				for x := p * 1000; ; x++ {
					if _, err := in.Send(context.Background(), x); err != nil {
						assert.ErrorIs(t, err, ErrClosed)
						return
					}
					mu.Lock()
					accepted = append(accepted, x)
					mu.Unlock()
				}
			})
		}
		for in.Stats().Written < 200 {
			runtime.Gosched()
		}
		got := in.Abort()
		wg.Wait()
		got = append(s.written(), got...)
		slices.Sort(got)
		slices.Sort(accepted)
		require.Equal(t, accepted, got)
	}
}

func TestTrySendDoesNotAllocate(t *testing.T) {
	in, err := New(Options[[8]uint64]{Flush: func(context.Context, [][8]uint64) error { return nil }})
	require.NoError(t, err)
	defer in.Abort()
	one := func() {
		if _, err := in.TrySend([8]uint64{}); err != nil {
			require.NoError(t, in.Flush(context.Background()))
		}
	}
	for range 20_000 {
		one() // the queue's chunks are there now
	}
	require.Zero(t, testing.AllocsPerRun(20_000, one))
}
