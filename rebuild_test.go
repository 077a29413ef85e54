package tarn_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

// rebuildSteps are the places where a rebuild is stopped. It comes to the first
// again and again: before the graph is built and before what came meanwhile is
// caught up.
var rebuildSteps = []string{"rebuild: round", "rebuild: round", "rebuild: before audit", "rebuild: before publication", "rebuild: after publication"}

// atEachStep calls do while a rebuild stands at each of its steps, over the same
// collection, and then once more when all are over.
func atEachStep(t *testing.T, k collection.Knobs, do func(t *testing.T, w *world, step int)) {
	hooks := newSteps()
	k.Hook, k.ExactThreshold = hooks.hook, -1
	w := newWorld(t, tarn.CollectionConfig{Dim: dim, Streaming: &tarn.StreamingConfig{BatchSize: 8}}, k)
	w.upsert(t, points(w.r, 1, unlessShort(500, 200), dim)...)
	for i, step := range rebuildSteps {
		if i == 1 { // the second round
			first := hooks.stop(t, step)
			first.release()
		}
		at := hooks.stop(t, step)
		wait := inBackground(t, func() error { return w.c.Rebuild(ctx, tarn.IndexConfig{}) })
		at.await()
		require.True(t, w.c.Stats().Rebuilding)
		do(t, w, i)
		w.check(t)
		at.release()
		require.NoError(t, wait())
		w.check(t)
	}
	do(t, w, len(rebuildSteps))
	eventually(t, "the delta is empty", func() bool { return w.c.Stats().InDelta == 0 })
	w.check(t)
	require.GreaterOrEqual(t, w.c.Stats().Rebuilds, int64(len(rebuildSteps))) // deaths may have asked for one more
	w.reopen(t)
	w.check(t)
}

// world is a collection and what must be in it.
type world struct {
	r     *rng
	c     *tarn.Collection
	db    *tarn.DB
	path  string
	opts  *tarn.Options
	m     tarn.Metric
	have  map[uint64]tarn.Point
	gone  map[uint64]bool
	moved map[uint64]tarn.Point  // where points were before
	since map[uint64][][]float32 // where points were since begin
	left  map[uint64]bool        // which were not there all the time since begin
}

func newWorld(t testing.TB, cfg tarn.CollectionConfig, k collection.Knobs) *world {
	t.Helper()
	w := &world{r: newRand(1), opts: tarn.WithKnobs(k), m: cfg.Metric,
		have: map[uint64]tarn.Point{}, gone: map[uint64]bool{}, moved: map[uint64]tarn.Point{}, since: map[uint64][][]float32{}, left: map[uint64]bool{}}
	w.c, w.db, w.path = newCollection(t, cfg, w.opts)
	return w
}

// upsert writes points by a call.
func (w *world) upsert(t testing.TB, ps ...tarn.Point) {
	t.Helper()
	require.NoError(t, w.c.Upsert(ctx, ps...))
	w.note(ps...)
}

// send writes points by the stream.
func (w *world) send(t testing.TB, ps ...tarn.Point) {
	t.Helper()
	s, err := w.c.Stream()
	require.NoError(t, err)
	waitAll(t, send(t, s, ps...)[len(ps)-1:])
	require.NoError(t, s.Flush(soon(t)))
	w.note(ps...)
}

func (w *world) note(ps ...tarn.Point) {
	for _, p := range ps {
		if old, ok := w.have[p.ID]; ok {
			w.moved[p.ID] = old
		} else {
			w.left[p.ID] = true
		}
		w.since[p.ID] = append(w.since[p.ID], p.Vector)
		w.have[p.ID] = p
		delete(w.gone, p.ID)
	}
}

func (w *world) delete(t testing.TB, ids ...uint64) {
	t.Helper()
	there := 0
	for _, id := range ids {
		if _, ok := w.have[id]; ok {
			there++
		}
		w.gone[id], w.left[id] = true, true
		delete(w.have, id)
		delete(w.moved, id)
	}
	n, err := w.c.Delete(ctx, ids...)
	require.NoError(t, err)
	require.Equal(t, there, n)
}

func (w *world) reopen(t testing.TB) {
	t.Helper()
	w.c, w.db = reopen(t, w.db, w.path, w.opts)
}

// ids returns n of the ids that are there.
func (w *world) ids(n int) []uint64 {
	all := make([]uint64, 0, len(w.have))
	for id := range w.have {
		all = append(all, id)
	}
	slices.Sort(all)
	w.r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(n, len(all))]
}

// asks is whether check looks at one point: under the race detector at one in four,
// all of them cost minutes there.
func (w *world) asks() bool { return !raceOn || w.r.IntN(4) == 0 }

// check compares the collection with what must be in it, by every way of asking.
func (w *world) check(t testing.TB) {
	t.Helper()
	require.Equal(t, len(w.have), w.c.Len())
	st := w.c.Stats()
	require.Equal(t, len(w.have), st.Points)
	require.Equal(t, st.Points, st.InGraph+st.InDelta)
	for id, p := range w.have {
		if !w.asks() {
			continue
		}
		got, err := w.c.Get(ctx, id)
		require.NoError(t, err)
		require.Equal(t, p.Vector, got.Vector)
		requireFound(t, w.c, p)
	}
	for id := range w.gone {
		_, err := w.c.Get(ctx, id)
		require.ErrorIs(t, err, tarn.ErrNotFound)
	}
	all, err := w.c.Search(ctx, vector(w.r, dim), len(w.have)+10)
	require.NoError(t, err)
	require.Len(t, all, len(w.have))
	requireOrdered(t, all)
	for id, old := range w.moved {
		if !w.asks() {
			continue
		}
		near, err := w.c.Search(ctx, old.Vector, 5)
		require.NoError(t, err)
		for _, n := range near {
			if n.ID == id {
				require.InDelta(t, trueDistance(w.m, old.Vector, w.have[id].Vector), n.Distance, 1e-4, "an old place")
			}
		}
	}
}

func TestD15_APointWrittenAtAnyStepOfARebuildIsFoundFromThenOn(t *testing.T) {
	atEachStep(t, collection.Knobs{}, func(t *testing.T, w *world, step int) {
		first := uint64(10_000 * (step + 1))
		w.upsert(t, points(w.r, first, 30, dim)...)
		w.send(t, points(w.r, first+100, 30, dim)...)
	})
}

func TestD15_MorePointsThanOneRoundCatchesUpWithAreFound(t *testing.T) {
	atEachStep(t, collection.Knobs{}, func(t *testing.T, w *world, step int) {
		w.upsert(t, points(w.r, uint64(10_000*(step+1)), 300, dim)...)
	})
}

func TestD15_PointsThatNoGraphTakesDuringARebuildAreFound(t *testing.T) {
	hooks := newSteps()
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, PauseIndexer: true, Hook: hooks.hook})
	w.upsert(t, points(w.r, 1, 300, dim)...)
	require.Equal(t, 300, w.c.Stats().InDelta)
	at := hooks.stop(t, "rebuild: before publication")
	wait := inBackground(t, func() error { return w.c.Rebuild(ctx, tarn.IndexConfig{}) })
	at.await()
	w.upsert(t, points(w.r, 1000, 50, dim)...)
	w.upsert(t, points(w.r, 100, 50, dim)...)
	w.delete(t, 1, 2, 3, 1001, 101)
	w.check(t)
	at.release()
	require.NoError(t, wait())
	w.check(t)
	require.Equal(t, 98, w.c.Stats().InDelta, "exactly what the new graph does not hold")
	w.reopen(t)
	w.check(t)
}

func TestD16_APointDeletedAtAnyStepOfARebuildNeverReappears(t *testing.T) {
	atEachStep(t, collection.Knobs{}, func(t *testing.T, w *world, step int) {
		w.delete(t, w.ids(25)...)
		fresh := points(w.r, uint64(10_000*(step+1)), 10, dim)
		w.upsert(t, fresh...)
		w.delete(t, fresh[0].ID, fresh[1].ID) // new since the rebuild began, and gone again
		back := fresh[1]
		back.Vector = vector(w.r, dim)
		w.upsert(t, back) // and back, elsewhere
	})
}

func TestD16_ARebuildOfNothingButDeletedPoints(t *testing.T) {
	hooks := newSteps()
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, Hook: hooks.hook})
	w.upsert(t, points(w.r, 1, 100, dim)...)
	at := hooks.stop(t, "rebuild: before publication")
	wait := inBackground(t, func() error { return w.c.Rebuild(ctx, tarn.IndexConfig{}) })
	at.await()
	w.delete(t, w.ids(100)...)
	at.release()
	require.NoError(t, wait())
	w.check(t)
	require.NoError(t, w.c.Rebuild(ctx, tarn.IndexConfig{}), "and of an empty collection")
	w.check(t)
	w.upsert(t, points(w.r, 1, 100, dim)...)
	w.check(t)
	w.reopen(t)
	w.check(t)
}

func TestD17_APointMovedAtAnyStepOfARebuildIsOnlyAtItsNewPlaceAndOnce(t *testing.T) {
	atEachStep(t, collection.Knobs{}, func(t *testing.T, w *world, step int) {
		for i, id := range w.ids(30) {
			p := tarn.Point{ID: id, Vector: vector(w.r, dim), Payload: tarn.Payload{"step": int64(step)}}
			if i%2 == 0 {
				w.upsert(t, p)
			} else {
				w.send(t, p)
			}
		}
		id := w.ids(1)[0] // one point again and again
		for range 40 {
			w.upsert(t, tarn.Point{ID: id, Vector: vector(w.r, dim)})
		}
	})
}

func TestD17_OneBatchThatMovesEverythingDuringARebuild(t *testing.T) {
	atEachStep(t, collection.Knobs{Ring: 16}, func(t *testing.T, w *world, step int) {
		w.upsert(t, points(w.r, 1, unlessShort(500, 200), dim)...)
	})
}

func TestD18_NoSearchBesideTheSwapsMissesAnAcknowledgedPoint(t *testing.T) {
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, SnapshotChange: 50})
	w.upsert(t, points(w.r, 1, 400, dim)...)
	known := &acknowledged{}
	for _, p := range w.have {
		known.add(p)
	}
	var readers []*searcher
	for i := range unlessShort(8, 3) {
		r := newRand(uint64(100 + i))
		readers = append(readers, keepSearching(t, func() error { return ask(w.c, known.pick(r)) }))
	}
	for i := range unlessShort(10, 4) {
		wait := inBackground(t, func() error { return w.c.Rebuild(ctx, tarn.IndexConfig{}) })
		for _, p := range points(w.r, uint64(1000*(i+1)), 20, dim) {
			w.upsert(t, p)
			known.add(p)
		}
		require.NoError(t, wait())
		readers[i%len(readers)].more(t, 20)
	}
	for _, s := range readers {
		require.NoError(t, s.stop())
	}
	w.check(t)
}

// acknowledged are points that a search must find from now on.
type acknowledged struct {
	mu  sync.RWMutex
	all []tarn.Point
}

func (a *acknowledged) add(p tarn.Point) {
	a.mu.Lock()
	a.all = append(a.all, p)
	a.mu.Unlock()
}

func (a *acknowledged) pick(r *rng) tarn.Point {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.all[r.IntN(len(a.all))]
}

// ask searches for a point's own vector.
func ask(c *tarn.Collection, p tarn.Point) error {
	near, err := c.Search(ctx, p.Vector, 2, tarn.WithoutPayload())
	if err != nil {
		return err
	}
	if len(near) != 2 || near[0].ID != p.ID || near[1].ID == p.ID {
		return fmt.Errorf("a search for point %d found %v", p.ID, near)
	}
	return nil
}

// searcher asks again and again, on its own goroutine, until it is stopped or ask
// returns an error.
type searcher struct {
	asked atomic.Int64
	ended atomic.Bool
	stop  func() error
}

func keepSearching(t testing.TB, ask func() error) *searcher {
	s := &searcher{}
	over := make(chan struct{})
	wait := inBackground(t, func() error {
		defer s.ended.Store(true)
		for {
			select {
			case <-over:
				return nil
			default:
			}
			if err := ask(); err != nil {
				return err
			}
			s.asked.Add(1)
		}
	})
	s.stop = sync.OnceValue(func() error { close(over); return wait() })
	t.Cleanup(func() { s.stop() })
	return s
}

// more waits until n more questions were answered.
func (s *searcher) more(t testing.TB, n int64) {
	t.Helper()
	from := s.asked.Load()
	eventually(t, "searches go on", func() bool { return s.ended.Load() || s.asked.Load() >= from+n })
}

func TestD19_ASecondRebuildWaitsForTheFirst(t *testing.T) {
	hooks := newSteps()
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, Hook: hooks.hook})
	w.upsert(t, points(w.r, 1, 200, dim)...)
	at := hooks.stop(t, "rebuild: before publication")
	first := inBackground(t, func() error { return w.c.Rebuild(ctx, tarn.IndexConfig{M: 5}) })
	at.await()
	var inside atomic.Int32 // rebuilds that build
	hooks.call("rebuild: round", func() { inside.Add(1) })
	done, cancel := context.WithCancel(ctx)
	impatient := inBackground(t, func() error { return w.c.Rebuild(done, tarn.IndexConfig{M: 9}) })
	second := inBackground(t, func() error { return w.c.Rebuild(ctx, tarn.IndexConfig{EfSearch: 99}) })
	cancel()
	require.ErrorIs(t, impatient(), context.Canceled)
	_, err := w.c.EnableStreaming(done, tarn.StreamingConfig{})
	require.ErrorIs(t, err, context.Canceled, "so does whatever else changes the configuration")
	require.Zero(t, inside.Load())
	require.Equal(t, tarn.IndexConfig{}, w.c.Config().Index, "nothing is in force before its swap")
	at.release()
	require.NoError(t, first())
	require.NoError(t, second())
	require.Equal(t, tarn.IndexConfig{M: 5, EfSearch: 99}, w.c.Config().Index, "zero fields mean as configured")
	require.Equal(t, int64(2), w.c.Stats().Rebuilds)
	w.check(t)
	w.reopen(t)
	require.Equal(t, tarn.IndexConfig{M: 5, EfSearch: 99}, w.c.Config().Index)
	w.check(t)
}

func TestD06_ACancelledRebuildLeavesTheGraphAsItWas(t *testing.T) {
	for _, round := range []int{1, 2} {
		hooks := newSteps()
		w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, Hook: hooks.hook})
		w.upsert(t, points(w.r, 1, 1000, dim)...)
		for range round - 1 {
			hooks.stop(t, "rebuild: round").release()
		}
		at := hooks.stop(t, "rebuild: round")
		done, cancel := context.WithCancel(ctx)
		wait := inBackground(t, func() error { return w.c.Rebuild(done, tarn.IndexConfig{M: 5}) })
		at.await()
		w.upsert(t, points(w.r, 5000, 400, dim)...) // another round is needed
		w.delete(t, w.ids(50)...)
		cancel()
		at.release()
		require.ErrorIs(t, wait(), context.Canceled)
		st := w.c.Stats()
		require.False(t, st.Rebuilding)
		require.Zero(t, st.Rebuilds)
		require.Equal(t, tarn.IndexConfig{}, w.c.Config().Index)
		w.check(t)
		require.NoError(t, w.c.Rebuild(ctx, tarn.IndexConfig{M: 6}))
		w.check(t)
		w.reopen(t)
		require.Equal(t, 6, w.c.Config().Index.M)
		w.check(t)
	}
}

func TestD04_CloseDuringARebuild(t *testing.T) {
	for i, step := range rebuildSteps {
		hooks := newSteps()
		w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, Hook: hooks.hook})
		w.upsert(t, points(w.r, 1, 600, dim)...)
		if i == 1 {
			hooks.stop(t, step).release()
		}
		at := hooks.stop(t, step)
		wait := inBackground(t, func() error { return w.c.Rebuild(ctx, tarn.IndexConfig{M: 7}) })
		at.await()
		w.delete(t, w.ids(300)...)
		w.upsert(t, points(w.r, 5000, 600, dim)...)
		closed := inBackground(t, w.db.Close)
		eventually(t, "the collection is closed to new calls", func() bool {
			_, err := w.c.Get(ctx, 5000)
			return errors.Is(err, tarn.ErrClosed)
		})
		at.release()
		err := wait()
		require.NoError(t, closed())
		if err != nil {
			require.ErrorIs(t, err, tarn.ErrClosed)
		}
		w.c, w.db = openCollection(t, w.path, w.opts)
		if err == nil {
			require.Equal(t, 7, w.c.Config().Index.M)
		}
		w.check(t)
	}
}

func TestACheckpointDuringARebuildIsWhole(t *testing.T) {
	for i, step := range rebuildSteps {
		hooks := newSteps()
		w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, SnapshotChange: 10, Hook: hooks.hook})
		w.upsert(t, points(w.r, 1, 300, dim)...)
		require.NoError(t, w.c.Checkpoint(ctx))
		if i == 1 {
			hooks.stop(t, step).release()
		}
		at := hooks.stop(t, step)
		wait := inBackground(t, func() error { return w.c.Rebuild(ctx, tarn.IndexConfig{}) })
		at.await()
		for round := range uint64(3) {
			w.delete(t, w.ids(40)...)
			w.upsert(t, points(w.r, 1000*round+250, 60, dim)...) // moves some; slots would be reused if they could
			require.NoError(t, w.c.Checkpoint(ctx))
			require.Zero(t, w.c.Stats().WALBytes)
		}
		killed := *w
		killed.c, killed.db = openCollection(t, crashCopy(t, w.path), w.opts)
		killed.check(t)
		require.NoError(t, killed.db.Close())
		at.release()
		require.NoError(t, wait())
		w.upsert(t, points(w.r, 9000, 100, dim)...)
		w.check(t)
		killed.c, killed.db = openCollection(t, crashCopy(t, w.path), w.opts)
		killed.have = w.have
		killed.check(t)
		require.NoError(t, killed.db.Close())
		w.reopen(t)
		w.check(t)
	}
}

func TestAGraphOfOtherParametersThanConfiguredIsBuiltAnewAfterOpening(t *testing.T) {
	hooks := newSteps()
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, SnapshotChange: 10, Hook: hooks.hook})
	w.upsert(t, points(w.r, 1, 300, dim)...)
	eventually(t, "the delta is empty", func() bool { return w.c.Stats().InDelta == 0 })
	at := hooks.stop(t, "snapshot: after rename") // of the graph with M 16
	checkpoint := inBackground(t, func() error { return w.c.Checkpoint(ctx) })
	at.await()
	swapped := hooks.stop(t, "rebuild: after publication")
	rebuilt := inBackground(t, func() error { return w.c.Rebuild(ctx, tarn.IndexConfig{M: 5}) })
	swapped.await()
	swapped.release()
	committed := hooks.stop(t, "checkpoint: after commit") // it names the old graph, and the new configuration
	at.release()
	committed.await()
	path := crashCopy(t, w.path)
	committed.release()
	require.NoError(t, checkpoint())
	require.NoError(t, rebuilt())

	killed := *w
	killed.c, killed.db = openCollection(t, path, tarn.WithKnobs(graphOnly))
	require.Equal(t, 5, killed.c.Config().Index.M)
	killed.check(t)
	eventually(t, "a rebuild", func() bool { return killed.c.Stats().Rebuilds == 1 && !killed.c.Stats().Rebuilding })
	killed.check(t)
	require.NoError(t, killed.db.Close())
	killed.c, killed.db = openCollection(t, path, tarn.WithKnobs(graphOnly))
	killed.check(t)
	require.Zero(t, killed.c.Stats().Rebuilds, "once is enough")
}
