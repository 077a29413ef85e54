package tarn_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

// A bug that panics in the goroutine of who called Rebuild is his to see. Who recovers
// from it has a store that goes on.
func TestD09_APanicInARebuildReachesItsCallerAndLocksNothing(t *testing.T) {
	bug := errors.New("a bug")
	for i, stop := range rebuildStops {
		if stop.step == "rebuild: unit" { // of goroutines of its own: see below
			continue
		}
		t.Run(fmt.Sprint(stop.step, " ", stop.nth), func(t *testing.T) {
			hooks := newSteps()
			e := &ending{stop: stop, paused: i%2 == 0, before: goleak.IgnoreCurrent()}
			e.world = newWorld(t, tarn.CollectionConfig{Dim: dim, WriteMode: tarn.WriteStreaming}, collection.Knobs{ExactThreshold: -1, NoBackground: true, PauseIndexer: e.paused, Hook: hooks.hook})
			e.upsert(t, points(e.r, 1, 120, dim)...)
			e.writeLate(t, hooks)
			n := 0
			hooks.call(stop.step, func() {
				if n++; n == stop.nth {
					panic(bug)
				}
			})
			e.idle, e.handles = goleak.IgnoreCurrent(), handlesOf(e.path)
			require.PanicsWithError(t, bug.Error(), func() { _ = e.c.Rebuild(ctx, tarn.IndexConfig{M: 5}) })
			hooks.call(stop.step, nil)
			e.panics = 1
			e.delete(t, e.ids(30)...)
			e.upsert(t, points(e.r, 2000, 20, dim)...)
			e.requireNoTrace(t)
		})
	}
}

// panicVariable names the step at which a child panics.
const panicVariable = "TARN_TEST_PANIC"

func init() { children["panic"] = writeUntilItPanics }

// writeUntilItPanics has four writers who say what they begin and what is acknowledged,
// until background work panics.
func writeUntilItPanics(dir string) error {
	step, own := strings.CutPrefix(os.Getenv(panicVariable), "own ")
	thin := own && strings.HasPrefix(step, "rebuild") // it is deaths that ask for a rebuild
	var armed atomic.Bool
	db, err := tarn.Open(dir, tarn.WithKnobs(collection.Knobs{ExactThreshold: -1, SnapshotChange: 50, CheckpointBytes: 16 << 10, LogSegment: 16 << 10, FewDeaths: 20,
		Hook: func(at string) {
			if at == step && armed.Load() {
				panic("a bug in " + step)
			}
		}}))
	if err != nil {
		return err
	}
	c, err := db.EnsureCollection(ctx, "test", tarn.CollectionConfig{Dim: dim, WriteMode: tarn.WriteStreaming})
	if err != nil {
		return err
	}
	ended := make(chan error)
	var written atomic.Int64
	for w := range uint64(4) {
		go func() {
			remove := func(id uint64) {
				fmt.Println("going", id)
				if _, err := c.Delete(ctx, id); err != nil {
					ended <- err
				}
				fmt.Println("gone", id)
			}
			for id := w; ; id += 4 {
				if thin && armed.Load() {
					for i := 0; c.Stats().InDelta > 0; i++ {
						if i == 60_000 {
							ended <- errors.New("the delta is not empty after a minute")
							return
						}
						time.Sleep(time.Millisecond)
					}
					for gone := w; gone < id; gone += 4 { // until the graph is thin enough
						remove(gone)
					}
					return
				}
				if err := c.Upsert(ctx, childPoint(id)); err != nil {
					ended <- err
				}
				fmt.Println("there", id)
				if id%5 > 1 && id > 100 {
					remove(id - 100)
				}
				if written.Add(1) == 400 {
					armed.Store(true)
					if !own {
						go func() { ended <- c.Rebuild(ctx, tarn.IndexConfig{}) }()
					}
				}
			}
		}()
	}
	return <-ended
}

func childPoint(id uint64) tarn.Point {
	return tarn.Point{ID: id, Vector: vector(newRand(id), dim), Payload: tarn.Payload{"id": int64(id)}}
}

// A bug in background work ends the process, aloud: nothing goes on upon a state that
// nobody understands. What was acknowledged is there afterwards, and locked is nothing.
func TestD09_A03_APanicInBackgroundWorkEndsTheProcessAndLosesNothingAcknowledged(t *testing.T) {
	for _, step := range []string{"rebuild: unit", "own rebuild: round", "own rebuild: before publication", "own rebuild: after publication",
		"index: between graph and delta", "own snapshot: before rename", "own checkpoint: after commit"} {
		t.Run(step, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "db")
			t.Setenv(childVariable, "panic")
			t.Setenv(panicVariable, step)
			self, err := os.Executable()
			require.NoError(t, err)
			var said, cried bytes.Buffer
			cmd := exec.CommandContext(soon(t), self, dir)
			cmd.Stdout, cmd.Stderr = &said, &cried
			var exit *exec.ExitError
			require.ErrorAs(t, cmd.Run(), &exit, said.String())
			require.Equal(t, 2, exit.ExitCode(), cried.String())
			require.Contains(t, cried.String(), "a bug in "+strings.TrimPrefix(step, "own "))
			requireTold(t, dir, said.String())
		})
	}
}

// requireTold asserts that a store holds what a child said was there.
func requireTold(t *testing.T, dir, said string) {
	t.Helper()
	state := map[uint64]string{}
	for line := range strings.Lines(said) {
		var word string
		var id uint64
		_, err := fmt.Sscan(line, &word, &id)
		require.NoError(t, err, line)
		state[id] = word
	}
	require.GreaterOrEqual(t, len(state), 400)
	c, db := openCollection(t, dir, tarn.WithKnobs(graphOnly))
	for range 2 {
		for id, word := range state {
			switch word {
			case "there":
				requirePoint(t, c, childPoint(id))
				requireFound(t, c, childPoint(id))
			case "gone":
				_, err := c.Get(ctx, id)
				require.ErrorIs(t, err, tarn.ErrNotFound)
			}
		}
		for p, err := range c.All(ctx) {
			require.NoError(t, err)
			require.Equal(t, childPoint(p.ID), p, "what was on its way is there whole, or not at all")
		}
		requireSound(t, db)
		require.NoError(t, c.Rebuild(soon(t), tarn.IndexConfig{}))
	}
	require.NoError(t, db.Close())
	files, err := filepath.Glob(filepath.Join(dir, "collections", "test", "graph-*"))
	require.NoError(t, err)
	require.LessOrEqual(t, len(files), 1)
}
