package tarn_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

// begin forgets where points were: a search begins.
func (w *world) begin() {
	clear(w.left)
	clear(w.since)
	for id, p := range w.have {
		w.since[id] = [][]float32{p.Vector}
	}
}

// requireAnswer asserts that near is what a search for q and k that began at begin
// may return: in order, each point once, at a place that it had since, and none
// missing that was nearer than the last of them all the time.
func (w *world) requireAnswer(t testing.TB, q []float32, k int, near []tarn.Result) {
	t.Helper()
	requireOrdered(t, near)
	got := map[uint64]bool{}
	for _, n := range near {
		got[n.ID] = true
		require.True(t, slices.ContainsFunc(w.since[n.ID], func(v []float32) bool {
			d := trueDistance(w.m, q, v) - float64(n.Distance)
			return max(d, -d) <= tolerance(w.m, q, v)+1e-6
		}), "%v is at a place that point never had, or was not there", n)
	}
	there := 0
	for id := range w.have {
		if w.left[id] {
			continue
		}
		there++
		if got[id] || len(near) == 0 {
			continue
		}
		farthest := 0.0
		for _, v := range w.since[id] {
			farthest = max(farthest, trueDistance(w.m, q, v)+tolerance(w.m, q, v)+1e-6)
		}
		require.Greater(t, farthest, float64(near[len(near)-1].Distance), "point %d was there and nearer all the time, and is missing", id)
	}
	require.GreaterOrEqual(t, len(near), min(k, there), "min(k, points) results")
	require.LessOrEqual(t, len(near), k)
}

// kinds of collections: how their points are searched.
var kinds = map[string]collection.Knobs{
	"exactly":      {},
	"by the graph": {ExactThreshold: -1},
	"in the delta": {ExactThreshold: -1, PauseIndexer: true},
}

// besideASearch stops a search at each of its steps, lets write change the
// collection, and judges the answer.
func besideASearch(t *testing.T, k collection.Knobs, write func(t *testing.T, w *world, q []float32)) {
	for name, kind := range kinds {
		for _, step := range []string{"search: between delta and graph", "search: before settling"} {
			if name == "exactly" && step == "search: between delta and graph" {
				continue
			}
			for _, count := range []int{1, 10, 250} {
				t.Run(fmt.Sprint(name, "/", step, "/k ", count), func(t *testing.T) {
					hooks := newSteps()
					k := k
					k.ExactThreshold, k.PauseIndexer, k.Hook = kind.ExactThreshold, kind.PauseIndexer, hooks.hook
					w := newWorld(t, tarn.CollectionConfig{Dim: dim}, k)
					w.upsert(t, points(w.r, 1, 300, dim)...)
					if name == "by the graph" {
						eventually(t, "all is in the graph", func() bool { return w.c.Stats().InDelta == 0 })
					}
					for range 5 {
						q := vector(w.r, dim)
						w.begin()
						at := hooks.stop(t, step)
						var near []tarn.Result
						wait := inBackground(t, func() (err error) {
							near, err = w.c.Search(ctx, q, count)
							return err
						})
						at.await()
						write(t, w, q)
						at.release()
						require.NoError(t, wait())
						w.requireAnswer(t, q, count, near)
					}
					w.check(t)
				})
			}
		}
	}
}

func TestAMoveThatPassesASearchIsSeenOnceAndAtAPlaceItHad(t *testing.T) {
	besideASearch(t, collection.Knobs{}, func(t *testing.T, w *world, q []float32) {
		near, err := w.c.Search(ctx, q, 3, tarn.WithExact())
		require.NoError(t, err)
		all, err := w.c.Search(ctx, q, len(w.have), tarn.WithExact())
		require.NoError(t, err)
		far := all[len(all)-1].ID
		w.upsert(t, tarn.Point{ID: near[0].ID, Vector: scaled(vector(w.r, dim), 2)}) // from near to far
		w.upsert(t, tarn.Point{ID: far, Vector: append([]float32(nil), q...)})       // from far to the nearest there can be
		for range 3 {
			w.upsert(t, tarn.Point{ID: near[1].ID, Vector: vector(w.r, dim)}) // to and fro
		}
	})
}

func TestMoreMovesThanTheRingHoldsBesideASearch(t *testing.T) {
	besideASearch(t, collection.Knobs{Ring: 4}, func(t *testing.T, w *world, q []float32) {
		for _, id := range w.ids(20) {
			w.upsert(t, tarn.Point{ID: id, Vector: vector(w.r, dim)})
		}
	})
}

func TestMoreDeletesThanASearchHasSpareBesideIt(t *testing.T) {
	besideASearch(t, collection.Knobs{}, func(t *testing.T, w *world, q []float32) {
		near, err := w.c.Search(ctx, q, 25, tarn.WithExact())
		require.NoError(t, err)
		for i, n := range near {
			if i%2 == 0 {
				w.delete(t, n.ID)
			}
		}
		w.upsert(t, points(w.r, 1000+w.r.Uint64N(1<<40), 25, dim)...)
	})
}

func TestDeleteAndReturnBesideASearch(t *testing.T) {
	besideASearch(t, collection.Knobs{}, func(t *testing.T, w *world, q []float32) {
		for _, id := range w.ids(10) {
			p := w.have[id]
			w.delete(t, id)
			if id%2 == 0 {
				p.Vector = vector(w.r, dim)
			}
			w.upsert(t, p)
		}
	})
}

func TestI6_NoSlotIsWrittenAgainUnderARunningSearch(t *testing.T) {
	besideASearch(t, collection.Knobs{}, func(t *testing.T, w *world, q []float32) {
		for range 3 { // a slot that dies here would be free after the next checkpoint
			w.delete(t, w.ids(60)...)
			require.NoError(t, w.c.Checkpoint(ctx))
			w.upsert(t, points(w.r, 1000+w.r.Uint64N(1<<40), 60, dim)...)
		}
	})
}

func TestI6_NoSlotOfAGraphIsWrittenAgainWhileASearchThatBeganInItRuns(t *testing.T) {
	hooks := newSteps()
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, Hook: hooks.hook, NoBackground: true}) // an audit that began before the deletes holds a pin
	w.upsert(t, points(w.r, 1, 300, dim)...)
	eventually(t, "all is in the graph", func() bool { return w.c.Stats().InDelta == 0 })
	w.delete(t, w.ids(60)...) // dead when the search begins, and still in the graph that it walks
	at := hooks.stop(t, "search: between delta and graph")
	q := vector(w.r, dim)
	w.begin()
	var near []tarn.Result
	wait := inBackground(t, func() (err error) {
		near, err = w.c.Search(ctx, q, 10)
		return err
	})
	at.await()
	require.NoError(t, w.c.Rebuild(ctx, tarn.IndexConfig{})) // the new graph does not hold them
	require.NoError(t, w.c.Checkpoint(ctx))
	w.upsert(t, points(w.r, 1000, 60, dim)...)
	require.Equal(t, 60, w.c.Stats().Deleted, "no slot of theirs was given to a new point")
	at.release()
	require.NoError(t, wait())
	w.requireAnswer(t, q, 10, near)
	require.NoError(t, w.c.Checkpoint(ctx))
	w.upsert(t, points(w.r, 2000, 60, dim)...)
	require.Zero(t, w.c.Stats().Deleted, "now they are")
	w.check(t)
}

func TestI6_ASearchThatBeganInTheNewGraphHoldsNothingOfTheOldBack(t *testing.T) {
	hooks := newSteps()
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, Hook: hooks.hook, NoBackground: true}) // an audit that began before the deletes holds a pin
	w.upsert(t, points(w.r, 1, 300, dim)...)
	eventually(t, "all is in the graph", func() bool { return w.c.Stats().InDelta == 0 })
	w.delete(t, w.ids(60)...)
	old := hooks.stop(t, "search: between delta and graph")
	began := inBackground(t, func() error { _, err := w.c.Search(ctx, vector(w.r, dim), 10); return err })
	old.await()
	require.NoError(t, w.c.Rebuild(ctx, tarn.IndexConfig{}))
	later := hooks.stop(t, "search: between delta and graph") // nothing is written between the swap and this search
	begins := inBackground(t, func() error { _, err := w.c.Search(ctx, vector(newRand(2), dim), 10); return err })
	later.await()
	old.release()
	require.NoError(t, began())
	w.upsert(t, points(w.r, 1000, 1, dim)...) // so that a checkpoint is due
	require.NoError(t, w.c.Checkpoint(ctx))
	w.upsert(t, points(w.r, 2000, 59, dim)...)
	require.Equal(t, 1, w.c.Stats().Deleted, "all but one were given away, though a search goes on")
	later.release()
	require.NoError(t, begins())
	w.check(t)
}

func TestI6_NoSlotIsWrittenAgainUnderARunningIteration(t *testing.T) {
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{PauseIndexer: true})
	w.upsert(t, points(w.r, 1, 300, dim)...)
	before := w.have
	w.have = map[uint64]tarn.Point{}
	for id, p := range before {
		w.have[id] = p
	}
	last, n := uint64(0), 0
	for p, err := range w.c.All(ctx) {
		require.NoError(t, err)
		require.Greater(t, p.ID, last, "in id order, none twice")
		last = p.ID
		now, ok := w.have[p.ID]
		require.True(t, ok, "a deleted point is not yielded when its turn comes")
		require.Equal(t, now.Vector, p.Vector)
		require.Equal(t, now.Payload, p.Payload)
		if n++; n%20 == 0 {
			w.delete(t, w.ids(15)...)
			require.NoError(t, w.c.Checkpoint(ctx))
			w.upsert(t, points(w.r, 10_000+uint64(n)*100, 15, dim)...)
			for _, id := range w.ids(5) {
				w.upsert(t, tarn.Point{ID: id, Vector: vector(w.r, dim)})
			}
		}
	}
	w.check(t)
	require.Zero(t, w.c.Stats().InGraph)
}

func TestDeadSlotsAreUsedAgain(t *testing.T) {
	// Nothing in the background holds a pin when a checkpoint looks for them.
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, ChunkSlots: 64, NoBackground: true, PauseIndexer: true})
	w.upsert(t, points(w.r, 1, 500, dim)...)
	for range unlessShort(12, 4) {
		w.upsert(t, points(w.r, 1, 500, dim)...) // each time 500 slots die
		require.NoError(t, w.c.Rebuild(ctx, tarn.IndexConfig{}))
		require.NoError(t, w.c.Checkpoint(ctx))
		w.check(t)
		require.LessOrEqual(t, w.c.Stats().Deleted, 1000)
	}
	chunks, err := filepath.Glob(filepath.Join(w.path, "collections/test/slots/*.vec"))
	require.NoError(t, err)
	require.NotEmpty(t, chunks)
	require.LessOrEqual(t, len(chunks), 1500/64+1, "the store does not grow with what was written over")
	w.reopen(t)
	w.check(t)
}

// A rebuild leaves out what dies while it runs: its slots are free once it is done.
func TestARebuildTakesNothingIntoTheNewGraphThatDiedBeforeItsTurn(t *testing.T) {
	hooks := newSteps()
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, NoBackground: true, PauseIndexer: true, Hook: hooks.hook})
	w.upsert(t, points(w.r, 1, 300, dim)...)
	var once sync.Once
	hooks.call("rebuild: unit", func() { once.Do(func() { w.delete(t, w.ids(100)...) }) })
	require.NoError(t, w.c.Rebuild(ctx, tarn.IndexConfig{}))
	require.Equal(t, 100, w.c.Stats().Deleted)
	require.NoError(t, w.c.Checkpoint(ctx))
	w.upsert(t, points(w.r, 1000, 100, dim)...)
	require.Zero(t, w.c.Stats().Deleted, "the new graph holds none of them")
	w.check(t)
}

func TestI1_ASlotBetweenGraphAndDeltaIsFoundOnce(t *testing.T) {
	hooks := newSteps()
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, Hook: hooks.hook})
	w.upsert(t, points(w.r, 1, 100, dim)...)
	for round := range uint64(4) {
		eventually(t, "the delta is empty", func() bool { return w.c.Stats().InDelta == 0 })
		at := hooks.stop(t, "index: between graph and delta")
		p := points(w.r, 1000+round, 1, dim)[0]
		w.upsert(t, p)
		at.await() // the graph has it, the delta has it
		w.check(t)
		switch round {
		case 1:
			w.delete(t, p.ID)
		case 2:
			w.upsert(t, tarn.Point{ID: p.ID, Vector: vector(w.r, dim)})
		case 3:
			w.delete(t, p.ID)
			w.upsert(t, p)
		}
		w.check(t)
		at.release()
		w.check(t)
	}
	w.reopen(t)
	w.check(t)
}

func TestI3_AnInsertIntoAGraphThatWasSwappedMeanwhile(t *testing.T) {
	hooks := newSteps()
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, Hook: hooks.hook})
	w.upsert(t, points(w.r, 1, 400, dim)...)
	eventually(t, "the delta is empty", func() bool { return w.c.Stats().InDelta == 0 })
	before := hooks.stop(t, "rebuild: before audit") // the last moment when the old graph takes points in
	rebuilt := inBackground(t, func() error { return w.c.Rebuild(ctx, tarn.IndexConfig{}) })
	before.await()
	between := hooks.stop(t, "index: between graph and delta")
	late := points(w.r, 1000, 8, dim) // so few are left to the new graph's delta
	w.upsert(t, late...)
	between.await() // in the old graph, in the old delta; the new graph knows nothing of it
	before.release()
	require.NoError(t, rebuilt())
	w.check(t)
	between.release()
	eventually(t, "the delta is empty", func() bool { return w.c.Stats().InDelta == 0 })
	w.check(t)
}

func TestAPublicationUnderWaySearchesSeeEitherPlace(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			hooks := newSteps()
			kind.Hook = hooks.hook
			w := newWorld(t, tarn.CollectionConfig{Dim: dim}, kind)
			w.upsert(t, points(w.r, 1, 200, dim)...)
			for range 10 {
				id := w.ids(1)[0]
				old, moved := w.have[id], tarn.Point{ID: id, Vector: vector(w.r, dim)}
				w.begin()
				at := hooks.stop(t, "publish: between new and old")
				written := inBackground(t, func() error { return w.c.Upsert(ctx, moved) })
				at.await()
				type answer struct {
					q    []float32
					near []tarn.Result
				}
				answers := make(chan answer, 8)
				var waits []func() error
				for i := range 8 {
					q := old.Vector
					if i%2 == 0 {
						q = moved.Vector
					}
					waits = append(waits, inBackground(t, func() error {
						near, err := w.c.Search(ctx, q, 5)
						answers <- answer{q, near}
						return err
					}))
				}
				at.release()
				require.NoError(t, written())
				w.note(moved)
				for _, wait := range waits {
					require.NoError(t, wait())
					a := <-answers
					w.requireAnswer(t, a.q, 5, a.near)
				}
			}
			w.check(t)
		})
	}
}

func TestSearchesAndReadsGoOnWhileAWriterStandsStill(t *testing.T) {
	for _, step := range []string{"write: before log", "write: after log", "write: before publication", "write: before sync"} {
		hooks := newSteps()
		w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, Hook: hooks.hook})
		w.upsert(t, points(w.r, 1, 100, dim)...)
		at := hooks.stop(t, step)
		fresh := points(w.r, 1000, 3, dim)
		wait := inBackground(t, func() error { return w.c.Upsert(ctx, fresh...) })
		at.await()
		for _, p := range w.have {
			requireFound(t, w.c, p)
			_, err := w.c.Get(ctx, p.ID)
			require.NoError(t, err)
		}
		n := w.c.Len()
		require.True(t, n == 100 || step == "write: before sync" && n == 103)
		at.release()
		require.NoError(t, wait())
		w.note(fresh...)
		w.check(t)
	}
}

func TestA04_ACopyTakenAtAnyStepOfACheckpointIsWhole(t *testing.T) {
	steps := []string{"checkpoint: before log sync", "checkpoint: before data sync", "checkpoint: after data sync", "checkpoint: before commit",
		"checkpoint: after commit", "checkpoint: before log delete", "checkpoint: after log delete",
		"snapshot: before sync", "snapshot: before rename", "snapshot: after rename"}
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			hooks := newSteps()
			w := newWorld(t, tarn.CollectionConfig{Dim: dim, WriteMode: tarn.WriteStreaming},
				collection.Knobs{ExactThreshold: -1, SnapshotChange: 20, LogSegment: 16 << 10, Hook: hooks.hook})
			for round := range uint64(unlessShort(3, 2)) {
				w.upsert(t, points(w.r, 1000*round, unlessShort(150, 80), dim)...)
				w.delete(t, w.ids(20)...)
				eventually(t, "the delta is empty", func() bool { return w.c.Stats().InDelta == 0 })
				at := hooks.stop(t, step)
				wait := inBackground(t, func() error { return w.c.Checkpoint(ctx) })
				at.await()
				w.delete(t, w.ids(30)...) // all of it after the moment of the checkpoint
				w.upsert(t, points(w.r, 1000*round+140, 50, dim)...)
				w.check(t)
				w.checkCopy(t)
				at.release()
				require.NoError(t, wait())
				w.check(t)
				w.checkCopy(t)
			}
			w.reopen(t)
			w.check(t)
		})
	}
}

// checkCopy checks what a process that is killed now leaves.
func (w *world) checkCopy(t testing.TB) {
	t.Helper()
	killed := *w
	killed.c, killed.db = openCollection(t, crashCopy(t, w.path), tarn.WithKnobs(collection.Knobs{ExactThreshold: -1}))
	killed.check(t)
	require.NoError(t, killed.db.Close())
}

func TestACopyTakenAtAnyStepOfAWriteHasTheBatchWholeOrNotAtAll(t *testing.T) {
	for i, step := range []string{"write: before log", "write: after log", "write: before publication", "write: after publication", "write: before sync"} {
		hooks := newSteps()
		w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{ExactThreshold: -1, Hook: hooks.hook})
		w.upsert(t, points(w.r, 1, 100, dim)...)
		at := hooks.stop(t, step)
		batch := points(w.r, 50, 100, dim) // half of it moves
		wait := inBackground(t, func() error { return w.c.Upsert(ctx, batch...) })
		at.await()
		if i > 0 {
			w.note(batch...)
		}
		w.checkCopy(t)
		at.release()
		require.NoError(t, wait())
		w.note(batch...)
		w.check(t)
		w.checkCopy(t)
	}
}

func TestD09_APanicInAStepOfAnotherCallersWriteLeavesTheStoreUsable(t *testing.T) {
	hooks := newSteps()
	w := newWorld(t, tarn.CollectionConfig{Dim: dim}, collection.Knobs{Hook: hooks.hook})
	w.upsert(t, points(w.r, 1, 10, dim)...)
	hooks.call("write: before log", func() { panic(errors.New("here")) })
	require.Panics(t, func() { w.c.Upsert(ctx, points(w.r, 50, 1, dim)...) })
	hooks.call("write: before log", nil)
	hooks.call("search: before settling", func() { panic(errors.New("there")) })
	require.Panics(t, func() { w.c.Search(ctx, vector(w.r, dim), 3) })
	hooks.call("search: before settling", nil)
	w.upsert(t, points(w.r, 50, 5, dim)...)
	w.check(t)
	w.reopen(t)
	w.check(t)
}

// scaled returns v times 3 to the n-th.
func scaled(v []float32, n int) []float32 {
	for range n {
		for j := range v {
			v[j] *= 3
		}
	}
	return v
}

func TestWritersDoNotWaitForWhatNoGraphFinds(t *testing.T) {
	c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: 32, WriteMode: tarn.WriteStreaming}, tarn.WithKnobs(collection.Knobs{DeltaLimit: 200}))
	r := newRand(1)
	for i := range 2000 { // the delta's limit of 65 536 in small
		require.NoError(t, c.Upsert(soon(t), tarn.Point{ID: uint64(i), Vector: near(r, uint64(i%5), 0.01)}), "after %d points, %d in the delta", i, c.Stats().InDelta)
	}
}

// near returns one of the vectors around a centre.
func near(r *rng, centre uint64, spread float64) []float32 {
	v := vector(newRand(centre), 32)
	for j := range v {
		v[j] += float32(r.NormFloat64() * spread)
	}
	return v
}
