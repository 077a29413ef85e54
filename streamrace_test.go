package tarn_test

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

// ways are the calls that put one point into a stream.
var ways = []func(s *tarn.Stream, p tarn.Point) (tarn.Ticket, error){
	func(s *tarn.Stream, p tarn.Point) (tarn.Ticket, error) {
		for {
			ticket, err := s.TrySend(p)
			if !errors.Is(err, tarn.ErrBufferFull) {
				return ticket, err
			}
			runtime.Gosched()
		}
	},
	func(s *tarn.Stream, p tarn.Point) (tarn.Ticket, error) { return s.Send(ctx, p) },
	func(s *tarn.Stream, p tarn.Point) (tarn.Ticket, error) { return s.SendBatch(ctx, []tarn.Point{p}) },
	func(s *tarn.Stream, p tarn.Point) (tarn.Ticket, error) {
		return s.SendOps(ctx, []tarn.Op{{Delete: true, Point: tarn.Point{ID: p.ID}}, {Point: p}})
	},
}

func TestEightProducersFourSearchersAndTwoDeletersAgreeWithAModel(t *testing.T) {
	each := fromEnv("TARN_RACE_WRITES", 80)
	s, c, db, path := newStream(t, tarn.StreamingConfig{BufferSize: 64, BatchSize: 16, FlushInterval: time.Millisecond},
		collection.Knobs{ExactThreshold: -1, CheckpointBytes: 256 << 10, LogSegment: 64 << 10})
	l := &ledger{points: map[uint64]*history{}}
	var mu sync.Mutex
	model := map[uint64][]float32{}
	var work, search sync.WaitGroup
	var broken atomic.Pointer[error]
	check := func(err error) bool {
		if err != nil {
			broken.CompareAndSwap(nil, &err)
		}
		return broken.Load() == nil
	}
	given := make(chan uint64, 64) // points whose producers never touch them again
	var producers sync.WaitGroup
	for p := range uint64(8) {
		producers.Go(func() {
			r, mine := newRand(p), []uint64(nil)
			for i := range uint64(each) {
				point := tarn.Point{ID: p<<32 | i, Vector: vector(r, dim)}
				if len(mine) > 0 && r.IntN(3) == 0 { // a move
					point.ID = mine[r.IntN(len(mine))]
				} else {
					mine = append(mine, point.ID)
				}
				if !check(l.write(point.ID, point.Vector, func() error { return settled(ways[(p+i)%4](s, point)) })) {
					return
				}
				mu.Lock()
				model[point.ID] = point.Vector
				mu.Unlock()
				if r.IntN(4) == 0 {
					j := r.IntN(len(mine))
					given <- mine[j]
					mine = slices.Delete(mine, j, j+1)
				}
			}
		})
	}
	for d := range 2 {
		work.Go(func() {
			for id := range given {
				check(l.write(id, nil, func() error {
					if d == 0 {
						return settled(s.Delete(ctx, id))
					}
					n, err := c.Delete(ctx, id)
					if err == nil && n != 1 {
						err = errors.New("a delete of a point that was acknowledged found nothing")
					}
					return err
				}))
				mu.Lock()
				delete(model, id)
				mu.Unlock()
			}
		})
	}
	var done atomic.Bool
	var asked, misses atomic.Int64
	for i := range uint64(4) {
		search.Go(func() {
			for r := newRand(100 + i); !done.Load() && check(l.ask(c, r, &misses)); {
				asked.Add(1)
				st := s.Stats()
				if st.Accepted != st.Written+st.Failed+uint64(st.Queued) || st.Queued > 64 {
					check(errors.New("the counters do not add up"))
				}
			}
		})
	}
	producers.Wait()
	close(given)
	work.Wait()
	done.Store(true)
	search.Wait()
	if err := broken.Load(); err != nil {
		t.Fatal(*err)
	}
	require.Zero(t, misses.Load())
	t.Logf("%d searches, %d points, %+v", asked.Load(), len(model), s.Stats())
	require.NoError(t, s.Flush(soon(t)))
	requireCounters(t, s)
	for range 2 {
		require.Equal(t, len(model), c.Len())
		for p, err := range c.All(ctx) {
			require.NoError(t, err)
			require.Equal(t, model[p.ID], p.Vector)
		}
		c, db = reopen(t, db, path, nil)
	}
}

func TestEnablingAgainUnderLoadLosesNothingThatWasAccepted(t *testing.T) {
	_, c, db, path := newStream(t, tarn.StreamingConfig{BufferSize: 64, BatchSize: 16, FlushInterval: time.Millisecond}, collection.Knobs{})
	var producers sync.WaitGroup
	var stop atomic.Bool
	last := make([]map[uint64][]float32, 4)
	for p := range 4 {
		last[p] = map[uint64][]float32{}
		producers.Go(func() {
			r := newRand(uint64(p))
			for i := 0; !stop.Load(); i++ {
				s, err := c.Stream()
				if err != nil {
					t.Error(err)
					return
				}
				point := tarn.Point{ID: uint64(p)<<32 | r.Uint64N(50), Vector: vector(r, dim)}
				_, err = ways[i%3](s, point)
				if errors.Is(err, tarn.ErrClosed) { // replaced: the next one takes it
					runtime.Gosched()
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				last[p][point.ID] = point.Vector // the order of acceptance, over all streams
			}
		})
	}
	var accepted uint64
	for i := range fromEnv("TARN_CLOSE_ROUNDS", 30) {
		old, err := c.Stream()
		require.NoError(t, err)
		eventually(t, "points come", func() bool { return old.Stats().Accepted > 50 })
		_, err = c.EnableStreaming(ctx, tarn.StreamingConfig{BufferSize: 32 + i, BatchSize: 1 + i%9, FlushInterval: time.Millisecond})
		require.NoError(t, err)
		st := requireCounters(t, old)
		require.Zero(t, st.Queued)
		require.Zero(t, st.Failed)
		accepted += st.Accepted
	}
	stop.Store(true)
	producers.Wait()
	s, err := c.Stream()
	require.NoError(t, err)
	require.NoError(t, s.Flush(soon(t)))
	t.Logf("%d points accepted", accepted+s.Stats().Accepted)
	for range 2 {
		n := 0
		for p := range last {
			n += len(last[p])
			for id, v := range last[p] {
				got, err := c.Get(ctx, id)
				require.NoError(t, err)
				require.Equal(t, v, got.Vector)
			}
		}
		require.Equal(t, n, c.Len())
		c, db = reopen(t, db, path, nil)
	}
}

func TestD07_D08_StreamsThatCameAndWentLeaveNoGoroutineAndNoFile(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("counts files in /proc")
	}
	files := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		return len(entries)
	}
	c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: dim}, nil)
	round := func(i int) {
		s, err := c.EnableStreaming(ctx, tarn.StreamingConfig{BatchSize: 4, FlushInterval: time.Millisecond})
		require.NoError(t, err)
		send(t, s, points(newRand(uint64(i)), 1, 10, dim)...)
		switch i % 4 {
		case 0:
			require.NoError(t, c.DisableStreaming(ctx))
		case 1:
			require.NoError(t, s.Shutdown(ctx))
		case 2:
			s.Abort()
		}
	}
	round(0)
	goroutines, open := runtime.NumGoroutine(), files()
	for i := range 40 {
		round(i)
	}
	require.NoError(t, c.DisableStreaming(ctx))
	eventually(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines+1 }) // one asks
	require.LessOrEqual(t, files(), open+2, "the log may have begun its next segment meanwhile")
}
