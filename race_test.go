package tarn_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

// ledger is what many goroutines know together about the points of a collection:
// where each one was and when, by a clock that every write moves.
type ledger struct {
	clock  atomic.Int64
	mu     sync.RWMutex
	points map[uint64]*history
	ids    []uint64
}

// history is one point's life. Its owner alone writes it.
type history struct {
	mu     sync.Mutex
	stays  []stay
	busy   bool // its owner changes it just now
	wrote  int  // how often
	stands bool // it is there, and not busy
}

// stay is a time that a point may have spent at one place.
type stay struct {
	at       []float32
	from, to int64 // from when its write began to when the next one was acknowledged
}

const forEver = math.MaxInt64

// write runs a write of one point between the marks of its beginning and its end.
// at nil: a delete.
func (l *ledger) write(id uint64, at []float32, do func() error) error {
	h := l.history(id)
	h.mu.Lock()
	h.busy, h.stands = true, false
	h.wrote++
	if at != nil {
		h.stays = append(h.stays, stay{at, l.clock.Add(1), forEver})
	}
	h.mu.Unlock()
	if err := do(); err != nil {
		return fmt.Errorf("point %d: %w", id, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	now, last := l.clock.Add(1), len(h.stays)-1
	for i := range h.stays {
		if h.stays[i].to == forEver && (at == nil || i < last) {
			h.stays[i].to = now
		}
	}
	if n := len(h.stays); n > 64 { // long ago
		h.stays = slices.Clone(h.stays[n-32:])
	}
	h.busy, h.stands = false, at != nil
	return nil
}

func (l *ledger) history(id uint64) *history {
	l.mu.RLock()
	h := l.points[id]
	l.mu.RUnlock()
	if h != nil {
		return h
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	h = &history{}
	l.points[id] = h
	l.ids = append(l.ids, id)
	return h
}

// pick returns a point that stands somewhere.
func (l *ledger) pick(r *rng) (id uint64, at []float32, wrote int, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.ids) == 0 {
		return 0, nil, 0, false
	}
	id = l.ids[r.IntN(len(l.ids))]
	h := l.points[id]
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.stands {
		return 0, nil, 0, false
	}
	return id, h.stays[len(h.stays)-1].at, h.wrote, true
}

// stood reports whether nobody wrote a point since pick.
func (l *ledger) stood(id uint64, wrote int) bool {
	h := l.history(id)
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.wrote == wrote
}

// judge says what is wrong with a result that was found between two times.
func (l *ledger) judge(q []float32, n tarn.Result, begin, end int64) error {
	l.mu.RLock()
	h := l.points[n.ID]
	l.mu.RUnlock()
	if h == nil {
		return fmt.Errorf("a search found %v, which nobody wrote", n)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.stays {
		d := trueDistance(tarn.L2, q, s.at) - float64(n.Distance)
		if s.from <= end && s.to >= begin && math.Abs(d) <= tolerance(tarn.L2, q, s.at)+1e-5 {
			return nil
		}
	}
	return fmt.Errorf("a search between %d and %d found %v, which was not there then: %v", begin, end, n, h.stays)
}

// ask searches for a point's own vector and judges the answer.
func (l *ledger) ask(c *tarn.Collection, r *rng, misses *atomic.Int64) error {
	id, q, wrote, ok := l.pick(r)
	if !ok {
		return nil
	}
	begin := l.clock.Load()
	var opts []tarn.SearchOption
	if r.IntN(20) == 0 {
		opts = append(opts, tarn.WithExact())
	}
	near, err := c.Search(ctx, q, 1+r.IntN(8), opts...)
	if err != nil {
		return err
	}
	end := l.clock.Load()
	seen := map[uint64]bool{}
	for i, n := range near {
		if seen[n.ID] {
			return fmt.Errorf("%d twice in %v", n.ID, near)
		}
		seen[n.ID] = true
		if i > 0 && near[i-1].Distance > n.Distance {
			return fmt.Errorf("out of order: %v", near)
		}
		if err := l.judge(q, n, begin, end); err != nil {
			return err
		}
	}
	if l.stood(id, wrote) && (len(near) == 0 || near[0].ID != id) {
		misses.Add(1)
		return fmt.Errorf("point %d stood at %v all the time, and a search found %v", id, q, near)
	}
	return nil
}

// owner writes points that nobody else writes, in one way.
type owner struct {
	l     *ledger
	c     *tarn.Collection
	r     *rng
	first uint64
	next  uint64
	have  map[uint64][]float32
}

// place returns where a point shall be: somewhere, or one of two far places that
// it goes to and fro between.
func (o *owner) place(id uint64) []float32 {
	v := vector(o.r, dim)
	if id%5 == 0 {
		if at, ok := o.have[id]; ok && at[0] > 0 {
			v[0] = -100
		} else {
			v[0] = 100
		}
	}
	return v
}

// some returns one of its points, and whether it has any.
func (o *owner) some() (uint64, bool) {
	if o.next == 0 {
		return 0, false
	}
	id := o.first + o.r.Uint64N(o.next)
	return id, o.have[id] != nil
}

// step writes once: put and remove are how.
func (o *owner) step(put func(p tarn.Point) error, remove func(id uint64) error) error {
	id, ok := o.some()
	switch op := o.r.IntN(10); {
	case op < 3 && ok: // a move
	case op < 5 && ok:
		delete(o.have, id)
		return o.l.write(id, nil, func() error { return remove(id) })
	default:
		id = o.first + o.next
		o.next++
	}
	p := tarn.Point{ID: id, Vector: o.place(id), Payload: tarn.Payload{"n": int64(o.r.IntN(100))}}
	o.have[id] = p.Vector
	if err := o.l.write(id, p.Vector, func() error { return put(p) }); err != nil {
		return err
	}
	got, err := o.c.Get(ctx, id)
	if err == nil && !slices.Equal(got.Vector, p.Vector) {
		err = fmt.Errorf("point %d is not what its owner wrote a moment ago", id)
	}
	return err
}

func TestD18_D20_WritersStreamsSearchersRebuildsAndCheckpointsAllAtOnce(t *testing.T) {
	allAtOnce(t, int64(fromEnv("TARN_RACE_SEARCHES", 20_000)), fromEnv("TARN_RACE_WRITES", 400))
}

// TestD21_OnOneTwoAndEightProcessors runs the same on machines of other sizes: what
// never meets on two processors may on eight, and what waits by spinning ends on none.
func TestD21_OnOneTwoAndEightProcessors(t *testing.T) {
	for _, n := range []int{1, 2, 8} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
			allAtOnce(t, int64(unlessShort(4_000, 1_500)), unlessShort(100, 40))
		})
	}
}

// allAtOnce runs four writers, two streams and four searchers beside rebuilds and
// checkpoints, until there were as many searches and writes of each.
func allAtOnce(t *testing.T, searches int64, writes int) {
	c, db, path := newCollection(t, tarn.CollectionConfig{Dim: dim, WriteMode: tarn.WriteStreaming,
		Streaming: &tarn.StreamingConfig{BatchSize: 16, BufferSize: 64, FlushInterval: time.Millisecond}},
		tarn.WithKnobs(collection.Knobs{ExactThreshold: -1, SnapshotChange: 200, CheckpointBytes: 64 << 10, LogSegment: 64 << 10, ChunkSlots: 256, Ring: 64}))
	s, err := c.Stream()
	require.NoError(t, err)
	l := &ledger{points: map[uint64]*history{}}
	var owners []*owner
	var waits []func() error
	running, stop := context.WithCancel(ctx)
	defer stop()
	var asked, misses atomic.Int64
	var written atomic.Int64
	run := func(put func(p tarn.Point) error, remove func(id uint64) error) {
		o := &owner{l: l, c: c, r: newRand(uint64(len(owners))), first: uint64(len(owners)+1) << 32, have: map[uint64][]float32{}}
		owners = append(owners, o)
		waits = append(waits, inBackgroundFor(t, func() error {
			for n := 0; n < writes || asked.Load() < searches; n++ {
				if running.Err() != nil {
					return nil
				}
				if n >= writes { // the searchers are not done: it writes on, more slowly
					at := asked.Load()
					for asked.Load() < at+int64(n)/10 && asked.Load() < searches && running.Err() == nil {
						time.Sleep(time.Millisecond)
					}
				}
				if err := o.step(put, remove); err != nil {
					stop()
					return err
				}
				written.Add(1)
			}
			return nil
		}))
	}
	for range 4 {
		run(func(p tarn.Point) error { return c.Upsert(ctx, p) }, func(id uint64) error {
			n, err := c.Delete(ctx, id)
			if err == nil && n != 1 {
				err = fmt.Errorf("a delete of %d removed %d", id, n)
			}
			return err
		})
	}
	for range 2 {
		run(func(p tarn.Point) error { return settled(s.Send(ctx, p)) }, func(id uint64) error { return settled(s.Delete(ctx, id)) })
	}
	var others []func() error
	for i := range 4 {
		r := newRand(uint64(100 + i))
		waits = append(waits, inBackgroundFor(t, func() error {
			for asked.Add(1) <= searches && running.Err() == nil {
				if err := l.ask(c, r, &misses); err != nil {
					stop()
					return err
				}
			}
			return nil
		}))
	}
	for _, work := range []func(context.Context) error{c.Checkpoint, func(ctx context.Context) error { return c.Rebuild(ctx, tarn.IndexConfig{}) }} {
		others = append(others, inBackgroundFor(t, func() error {
			for {
				err := work(running)
				if errors.Is(err, context.Canceled) {
					return nil
				}
				if err != nil {
					stop()
					return err
				}
			}
		}))
	}
	for _, wait := range waits {
		require.NoError(t, wait())
	}
	stop()
	for _, wait := range others {
		require.NoError(t, wait())
	}
	t.Logf("%d searches, %d misses, %d writes, %d rebuilds", asked.Load()-4, misses.Load(), written.Load(), c.Stats().Rebuilds)
	require.Zero(t, misses.Load())
	require.GreaterOrEqual(t, c.Stats().Rebuilds, int64(1))
	for range 2 {
		requireOwned(t, c, owners)
		c, db = reopen(t, db, path, tarn.WithKnobs(graphOnly))
	}
}

// requireOwned asserts that a collection holds what its owners wrote, and no more.
func requireOwned(t testing.TB, c *tarn.Collection, owners []*owner) {
	t.Helper()
	total := 0
	for _, o := range owners {
		total += len(o.have)
		for id, v := range o.have {
			got, err := c.Get(ctx, id)
			require.NoError(t, err)
			require.Equal(t, v, got.Vector)
			near, err := c.Search(ctx, v, 2)
			require.NoError(t, err)
			require.Equal(t, id, near[0].ID)
		}
	}
	require.Equal(t, total, c.Len())
	n := 0
	for _, err := range c.All(ctx) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, total, n)
}

// inBackgroundFor is inBackground for what may take minutes under the race detector.
func inBackgroundFor(t testing.TB, fn func() error) (wait func() error) {
	return inBackgroundUntil(t, 10*patience, fn)
}

// inBackgroundUntil runs fn, which ends within limit.
func inBackgroundUntil(t testing.TB, limit time.Duration, fn func() error) (wait func() error) {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	return func() error {
		t.Helper()
		select {
		case err := <-done:
			return err
		case <-time.After(limit):
			t.Fatal("a goroutine does not end")
			return nil
		}
	}
}

func TestD04_CloseBesideEveryKindOfCall(t *testing.T) {
	const beforeClose = 100 // calls of each kind, at most, until the database is closed
	for round := range fromEnv("TARN_CLOSE_ROUNDS", 10) {
		c, db, path := newCollection(t, tarn.CollectionConfig{Dim: dim, Streaming: &tarn.StreamingConfig{BatchSize: 4, FlushInterval: time.Millisecond}},
			tarn.WithKnobs(collection.Knobs{ExactThreshold: -1, CheckpointBytes: 4 << 10, ChunkSlots: 64}))
		s, err := c.Stream()
		require.NoError(t, err)
		var acked sync.Map
		write := func(r *rng, put func(p tarn.Point) error) error {
			p := points(r, r.Uint64(), 1, dim)[0]
			err := put(p)
			if err == nil {
				acked.Store(p.ID, p)
			}
			return err
		}
		calls := map[string]func(r *rng) error{
			"Upsert": func(r *rng) error { return write(r, func(p tarn.Point) error { return c.Upsert(ctx, p) }) },
			"Send":   func(r *rng) error { return write(r, func(p tarn.Point) error { return settled(s.Send(ctx, p)) }) },
			"Delete": func(r *rng) error { _, err := c.Delete(ctx, r.Uint64()); return err },
			"Search": func(r *rng) error { _, err := c.Search(ctx, vector(r, dim), 3); return err },
			"All": func(r *rng) error {
				for _, err := range c.All(ctx) {
					if err != nil {
						return err
					}
				}
				return nil
			},
			"Rebuild":    func(r *rng) error { return c.Rebuild(ctx, tarn.IndexConfig{}) },
			"Checkpoint": func(r *rng) error { return c.Checkpoint(ctx) },
			"Sync":       func(r *rng) error { return c.Sync(ctx) },
			"Flush":      func(r *rng) error { return s.Flush(ctx) },
			"Stats": func(r *rng) error {
				c.Stats()
				c.Config()
				c.Len()
				_, _ = c.Position("x")
				_, err := db.Collection("test")
				return err
			},
		}
		var begun sync.WaitGroup
		var waits []func() error
		closing := make(chan struct{})
		seed := uint64(round * 100)
		for name, call := range calls {
			begun.Add(1)
			seed++
			r := newRand(seed)
			waits = append(waits, inBackgroundFor(t, func() error {
				first := sync.OnceFunc(begun.Done)
				defer first()
				for i := 0; ; i++ {
					if i == beforeClose { // let the slower ones come to their turn
						<-closing
					}
					err := call(r)
					if i == round%4 {
						first()
					}
					if errors.Is(err, tarn.ErrClosed) || name == "Flush" && i > 2*beforeClose {
						return nil // a stream that has nothing left says nil
					}
					if err != nil {
						return fmt.Errorf("%s: %w", name, err)
					}
				}
			}))
		}
		begun.Wait()
		close(closing)
		require.NoError(t, db.Close())
		for _, wait := range waits {
			require.NoError(t, wait())
		}
		c, db = openCollection(t, path, nil)
		n := 0
		acked.Range(func(_, v any) bool {
			requirePoint(t, c, v.(tarn.Point))
			n++
			return true
		})
		require.GreaterOrEqual(t, c.Len(), n)
		require.NoError(t, db.Close())
	}
}

// register is the model of one id in a history of concurrent writes and reads.
type event struct {
	begin, end int64
	wrote      int // 0: deleted
	read       bool
}

func TestD10_D11_ReadsOfOneIDNeverGoBackInTime(t *testing.T) {
	c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: 1, WriteMode: tarn.WriteStreaming}, tarn.WithKnobs(graphOnly))
	for round := range fromEnv("TARN_HISTORIES", 20) {
		id := uint64(round)
		var clock, value atomic.Int64
		var mu sync.Mutex
		var events []event
		var wg sync.WaitGroup
		for g := range 16 {
			wg.Go(func() {
				r := newRand(uint64(round*100 + g))
				for range 12 {
					e := event{begin: clock.Add(1)}
					switch op := r.IntN(4); {
					case op == 0:
						e.wrote = int(value.Add(1))
						if err := c.Upsert(ctx, tarn.Point{ID: id, Vector: []float32{float32(e.wrote)}}); err != nil {
							t.Error(err)
						}
					case op == 1 && g%4 == 0:
						if _, err := c.Delete(ctx, id); err != nil {
							t.Error(err)
						}
					default:
						e.read = true
						p, err := c.Get(ctx, id)
						if err == nil {
							e.wrote = int(p.Vector[0])
						} else if !errors.Is(err, tarn.ErrNotFound) {
							t.Error(err)
						}
					}
					e.end = clock.Add(1)
					mu.Lock()
					events = append(events, e)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		requireRegister(t, events)
	}
}

// requireRegister asserts what every linearizable register keeps: a read returns a
// value whose write had begun and that no later write, wholly between the two, had
// replaced; and a read after a read does not return what was replaced before.
func requireRegister(t *testing.T, events []event) {
	t.Helper()
	written := map[int]event{}
	for _, e := range events {
		if !e.read && e.wrote > 0 {
			written[e.wrote] = e
		}
	}
	for _, e := range events {
		if !e.read || e.wrote == 0 {
			continue
		}
		w, ok := written[e.wrote]
		require.True(t, ok, "a read returned %d, which nobody wrote", e.wrote)
		require.Less(t, w.begin, e.end, "a read returned what was written later")
		for _, other := range events {
			if !other.read && other.wrote != e.wrote {
				require.False(t, w.end < other.begin && other.end < e.begin, "%+v was replaced by %+v before it was read by %+v", w, other, e)
			}
			if other.read && other.wrote > 0 && other.wrote != e.wrote && other.end < e.begin {
				later := written[other.wrote]
				require.False(t, w.end < later.begin, "%+v was read after %+v, which is newer", e, other)
			}
		}
	}
}
