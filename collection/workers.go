package collection

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// crew is what the background work of all collections of a process shares: as
// many workers may run as there are processors, and one less while searches run,
// so that these always find one free. A writer who waits for the delta to shrink
// lifts that bound.
//
//	worker: acquire ── one unit of work (a few inserts) ── release ── again
type crew struct {
	mu      sync.Mutex
	running int
	freed   signal

	searches atomic.Uint64 // begun
	seen     atomic.Uint64 // searches when a unit of work last ended
	busy     atomic.Int32  // units of work for which searches are taken to run on
	urgent   atomic.Int32  // writers that wait
}

// quietUnits is how many units of work without a search end the presence of one.
const quietUnits = 64

var shared crew

// limit is how many workers may run now.
func (w *crew) limit() int {
	n := runtime.GOMAXPROCS(0)
	if n > 1 && w.busy.Load() > 0 && w.urgent.Load() == 0 {
		return n - 1
	}
	return n
}

// acquire waits for a place, until ctx ends.
func (w *crew) acquire(ctx context.Context) error {
	for {
		freed := w.freed.wait()
		w.mu.Lock()
		if w.running < w.limit() {
			w.running++
			w.mu.Unlock()
			return nil
		}
		w.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// release gives the place back and yields the processor.
func (w *crew) release() {
	if n := w.searches.Load(); w.seen.Swap(n) != n {
		w.busy.Store(quietUnits)
	} else if w.busy.Load() > 0 {
		w.busy.Add(-1)
	}
	w.mu.Lock()
	w.running--
	w.mu.Unlock()
	w.freed.broadcast()
	runtime.Gosched()
}

// urge lets workers use every processor until calm is called.
func (w *crew) urge() {
	w.urgent.Add(1)
	w.freed.broadcast()
}

func (w *crew) calm() { w.urgent.Add(-1) }
