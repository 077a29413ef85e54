package tarn_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

// rebuildStop is a place where a rebuild is ended: when it comes to a step for the nth
// time. Of 120 points it makes 15 units, and asks for them in 15 more or so; then it
// catches up with what came meanwhile.
type rebuildStop struct {
	step string
	nth  int
	late bool // what ends it from then on finds it done
}

var rebuildStops = []rebuildStop{
	{"rebuild: round", 1, false},
	{"rebuild: unit", 1, false},
	{"rebuild: unit", 10, false},
	{"rebuild: round", 2, false},
	{"rebuild: before audit", 1, false},
	{"rebuild: unit", 20, false},
	{"rebuild: round", 3, false},
	{"rebuild: before asking again", 1, false},
	{"rebuild: round", 4, false},
	{"rebuild: before publication", 1, true},
	{"rebuild: after publication", 1, true},
	{"snapshot: before sync", 1, true},
	{"snapshot: before rename", 1, true},
	{"snapshot: after rename", 1, true},
	{"checkpoint: before log sync", 1, true},
	{"checkpoint: before data sync", 1, true},
	{"checkpoint: after data sync", 1, true},
	{"checkpoint: before commit", 1, true},
	{"checkpoint: after commit", 1, true},
	{"checkpoint: before log delete", 1, true},
	{"checkpoint: after log delete", 1, true},
}

// ending is a rebuild to M 5 that stands at a step, over a world.
type ending struct {
	*world
	stop    rebuildStop
	paused  bool // the indexer
	panics  int
	before  goleak.Option // the goroutines of before the store was opened
	idle    goleak.Option // and of before the rebuild
	handles int           // descriptors and mappings before it
	at      *stop
	cancel  context.CancelFunc
	wait    func() error
	had     int64 // rebuilds before it
}

// atEveryStop runs fn for each place where a rebuild can be ended: in a collection that
// serves by a graph, and in one that has none yet, so that only the new graph holds
// slots. TARN_REBUILD_STOPS=1 takes both for each, else they alternate.
func atEveryStop(t *testing.T, fn func(t *testing.T, e *ending)) {
	every := fromEnv("TARN_REBUILD_STOPS", 0) > 0
	for kind, paused := range []bool{false, true} {
		for i, stop := range rebuildStops {
			if i%2 != kind && !every {
				continue
			}
			t.Run(fmt.Sprintf("%s %d, indexer paused %v", stop.step, stop.nth, paused), func(t *testing.T) {
				fn(t, endingAt(t, stop, paused))
			})
		}
	}
}

func endingAt(t *testing.T, stop rebuildStop, paused bool) *ending {
	hooks := newSteps()
	e := &ending{stop: stop, paused: paused, before: goleak.IgnoreCurrent()}
	w := newWorld(t, tarn.CollectionConfig{Dim: dim, WriteMode: tarn.WriteStreaming}, collection.Knobs{ExactThreshold: -1, ChunkSlots: 4096, NoBackground: true, PauseIndexer: paused, Hook: hooks.hook})
	e.world = w
	w.upsert(t, points(w.r, 1, 120, dim)...)
	if !paused {
		eventually(t, "all is in the graph", func() bool { return w.c.Stats().InDelta == 0 })
		require.NoError(t, w.c.Rebuild(ctx, tarn.IndexConfig{})) // so that there is a graph file
	}
	e.writeLate(t, hooks)
	for range stop.nth - 1 {
		hooks.stop(t, stop.step).release()
	}
	e.at = hooks.stop(t, stop.step)
	e.had = w.c.Stats().Rebuilds
	e.idle, e.handles = goleak.IgnoreCurrent(), handlesOf(w.path)
	var done context.Context
	done, e.cancel = context.WithCancel(ctx)
	t.Cleanup(e.cancel)
	e.wait = inBackground(t, func() error { return w.c.Rebuild(done, tarn.IndexConfig{M: 5}) })
	e.at.await()
	require.True(t, w.c.Stats().Rebuilding || !strings.HasPrefix(stop.step, "rebuild"))
	e.writeBeside(t)
	return e
}

// writeLate has more points come before the audit than are left to the delta, if it is
// about the rounds after it.
func (e *ending) writeLate(t *testing.T, hooks *steps) {
	if e.stop.step != "rebuild: round" && e.stop.step != "rebuild: before asking again" {
		return
	}
	hooks.call("rebuild: before audit", func() {
		late := points(newRand(2), 1000, 300, dim)
		if err := e.c.Upsert(ctx, late...); err == nil { // else it is closed
			e.note(late...)
		}
		hooks.call("rebuild: before audit", nil)
	})
}

// writeBeside moves, writes and deletes points of before the rebuild and of since.
func (e *ending) writeBeside(t *testing.T) {
	t.Helper()
	e.delete(t, e.ids(30)...)
	for _, id := range e.ids(10) {
		e.upsert(t, tarn.Point{ID: id, Vector: vector(e.r, dim)})
	}
	if strings.HasPrefix(e.stop.step, "rebuild") {
		require.NoError(t, e.c.Checkpoint(ctx))
	}
	require.GreaterOrEqual(t, e.c.Stats().Deleted, 40)
	e.upsert(t, points(e.r, 2000, 20, dim)...) // into slots of theirs that no graph has seen, or new ones
	e.check(t)
}

// handlesOf counts what this process has of the store's files: but for the log's, whose next
// segment is made ready at any time.
func handlesOf(path string) int {
	return handlesIn(path, filepath.Join(path, "collections", "test", "wal"))
}

// handlesIn counts the descriptors and mappings that this process has of files below a
// folder, but for those below another, where the system says.
func handlesIn(dir, not string) int {
	maps, _ := os.ReadFile("/proc/self/maps") // elsewhere there is none
	n := strings.Count(string(maps), dir) - strings.Count(string(maps), not)
	open, _ := filepath.Glob("/proc/self/fd/*")
	for _, name := range open {
		if to, err := os.Readlink(name); err == nil && strings.HasPrefix(to, dir) && !strings.HasPrefix(to, not) {
			n++
		}
	}
	return n
}

// requireFiles asserts that a closed store has the files that its checkpoint names, and
// no other graph file; more of them if somebody panicked between the two.
func (e *ending) requireFiles(t *testing.T, most int) {
	t.Helper()
	require.Zero(t, handlesIn(e.path, "nothing"))
	require.NoError(t, filepath.WalkDir(e.path, func(name string, _ os.DirEntry, err error) error {
		require.NotContains(t, name, ".tmp")
		return err
	}))
	files, err := filepath.Glob(filepath.Join(e.path, "collections", "test", "graph-*"))
	require.NoError(t, err)
	require.LessOrEqual(t, len(files), most)
}

// requireFreeSlots asserts that every dead slot is given to a new point once a
// checkpoint allows it: no graph and no pin holds it.
func (e *ending) requireFreeSlots(t *testing.T, first uint64) {
	t.Helper()
	e.upsert(t, points(e.r, first, 1, dim)...) // so that a checkpoint is due
	require.NoError(t, e.c.Checkpoint(ctx))
	e.upsert(t, points(e.r, first+1, e.c.Stats().Deleted, dim)...)
	require.Zero(t, e.c.Stats().Deleted)
}

// requireNoTrace asserts that nothing is left of a rebuild that was cancelled or done,
// and that the next one does what it would have done without it.
func (e *ending) requireNoTrace(t *testing.T) {
	t.Helper()
	require.False(t, e.c.Stats().Rebuilding)
	e.check(t)
	require.NoError(t, goleak.Find(e.idle))
	require.Equal(t, e.handles, handlesOf(e.path))
	switch {
	case e.paused && e.c.Stats().InGraph == 0:
		e.requireFreeSlots(t, 10_000)
	case !e.paused:
		eventually(t, "the indexer goes on", func() bool { return e.c.Stats().InDelta == 0 })
	}
	require.NoError(t, e.c.Rebuild(soon(t), tarn.IndexConfig{M: 6}))
	if e.paused {
		e.check(t)
		require.Zero(t, e.c.Stats().InDelta, "the new graph has them all")
		e.requireFreeSlots(t, 20_000)
	}
	e.requireReopened(t)
}

// requireReopened asserts that all is there after Close and Open.
func (e *ending) requireReopened(t *testing.T) {
	t.Helper()
	require.NoError(t, e.db.Close())
	e.requireFiles(t, 1+e.panics)
	require.NoError(t, goleak.Find(e.before))
	e.c, e.db = openCollection(t, e.path, e.opts)
	require.Equal(t, tarn.IndexConfig{M: 6}, e.c.Config().Index)
	require.GreaterOrEqual(t, e.c.Stats().InGraph, 110, "the graph was read from its file")
	e.check(t)
	requireSound(t, e.db)
	require.NoError(t, e.db.Close())
	e.requireFiles(t, 1)
}

func TestD06_ARebuildThatIsCancelledAtAnyStepLeavesNoTrace(t *testing.T) {
	atEveryStop(t, func(t *testing.T, e *ending) {
		e.cancel()
		e.at.release()
		if err := e.wait(); e.stop.late {
			require.NoError(t, err)
			require.Equal(t, 5, e.c.Config().Index.M)
		} else {
			require.ErrorIs(t, err, context.Canceled)
			require.Equal(t, tarn.IndexConfig{}, e.c.Config().Index)
			require.Equal(t, e.had, e.c.Stats().Rebuilds)
		}
		e.requireNoTrace(t)
	})
}

func TestD04_ARebuildThatIsClosedAtAnyStepLeavesNoTrace(t *testing.T) {
	atEveryStop(t, func(t *testing.T, e *ending) {
		closed := inBackground(t, e.db.Close)
		eventually(t, "the collection is closed to new calls", func() bool {
			_, err := e.c.Get(ctx, 1)
			return errors.Is(err, tarn.ErrClosed)
		})
		e.at.release()
		err := e.wait()
		require.NoError(t, closed())
		e.requireFiles(t, 1)
		require.NoError(t, goleak.Find(e.before))
		e.c, e.db = openCollection(t, e.path, e.opts)
		if err != nil {
			require.ErrorIs(t, err, tarn.ErrClosed)
			require.False(t, e.stop.late)
			require.Equal(t, tarn.IndexConfig{}, e.c.Config().Index)
		} else {
			require.Equal(t, 5, e.c.Config().Index.M)
		}
		e.check(t)
		requireSound(t, e.db)
		require.NoError(t, e.c.Rebuild(soon(t), tarn.IndexConfig{M: 6}))
		e.check(t)
		e.requireReopened(t)
	})
}

func TestD19_ARebuildThatIsCancelledAtAnyStepLetsTheOneInThatWaits(t *testing.T) {
	atEveryStop(t, func(t *testing.T, e *ending) {
		next := inBackground(t, func() error { return e.c.Rebuild(ctx, tarn.IndexConfig{M: 6}) })
		e.cancel()
		e.at.release()
		if err := e.wait(); e.stop.late {
			require.NoError(t, err)
			e.had++
		} else {
			require.ErrorIs(t, err, context.Canceled)
		}
		require.NoError(t, next())
		require.Equal(t, e.had+1, e.c.Stats().Rebuilds)
		require.Equal(t, tarn.IndexConfig{M: 6}, e.c.Config().Index)
		e.requireNoTrace(t)
	})
}
