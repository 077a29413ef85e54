package collection

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// crew is what the background work of all collections of a process shares: as
// many workers may run as there are processors, and one less while searches run or
// a batch is written, so that these always find one free. A writer who waits for
// the delta to shrink lifts that bound. While a burst comes in and nobody searches, no
// worker runs: what arrives is searchable in the delta, and indexed a little later (see
// courtesy for how much may be put off).
//
//	worker: acquire ── one unit of work (a few inserts) ── release ── again
//	            └─ behind those who came before; audits behind the others, one in sixteen
//
// Places are handed from who releases to who waits longest: one who comes back at
// once for the next unit cannot keep the others out.
type crew struct {
	mu      sync.Mutex
	running int
	waiting [2][]chan struct{} // by rank; closed: the place is theirs
	passed  int                // places that went to pressing work while leisurely waited

	searches atomic.Uint64 // begun
	seen     atomic.Uint64 // searches when a unit of work last ended
	busy     atomic.Int32  // units of work for which searches are taken to run on
	writing  atomic.Int32  // batches that are being written or fsynced
	bursts   atomic.Int32  // bursts that work stands aside for
	urgent   atomic.Int32  // writers that wait
	stalled  atomic.Bool   // somebody waits for a place
}

// rank is who comes first among those who wait for a place.
type rank int

const (
	pressing  rank = iota // what points or callers wait for
	leisurely             // what can wait until there is nothing else
)

// patientFor is how many places go to pressing work before one goes to leisurely:
// a graph whose upkeep starves makes the pressing work slower and slower.
const patientFor = 15

// quietUnits is how many units of work without a search end the presence of one.
const quietUnits = 64

var shared crew

// limit is how many workers may run now.
func (w *crew) limit() int {
	n := runtime.GOMAXPROCS(0)
	switch {
	case w.aside():
		return 0
	case n > 1 && w.polite():
		return n - 1
	}
	return n
}

// aside reports whether work waits for the end of a burst.
func (w *crew) aside() bool {
	return w.bursts.Load() > 0 && w.urgent.Load() == 0 && w.busy.Load() == 0 && w.searches.Load() == w.seen.Load()
}

// polite reports whether work gives way to searches and writes.
func (w *crew) polite() bool {
	return (w.busy.Load() > 0 || w.writing.Load() > 0) && w.urgent.Load() == 0
}

// write makes work give way to a batch until wrote is called. It asks nobody to
// stop: a worker gives way at the end of its unit of work.
func (w *crew) write() { w.writing.Add(1) }

func (w *crew) wrote() {
	if w.writing.Add(-1) == 0 && w.stalled.Load() {
		w.mu.Lock()
		w.grant()
		w.mu.Unlock()
	}
}

// standAside makes work wait for the end of a burst, until goOn is called.
func (w *crew) standAside() { w.bursts.Add(1) }

func (w *crew) goOn() {
	w.bursts.Add(-1)
	w.mu.Lock()
	w.grant()
	w.mu.Unlock()
}

// acquire waits for a place, until ctx ends.
func (w *crew) acquire(ctx context.Context, r rank) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w.mu.Lock()
	mine := make(chan struct{})
	w.waiting[r] = append(w.waiting[r], mine)
	w.grant()
	w.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.Index(w.waiting[r], mine); i >= 0 {
		w.waiting[r] = slices.Delete(w.waiting[r], i, i+1)
	} else { // it was granted meanwhile
		w.running--
		w.grant()
	}
	return ctx.Err()
}

// grant gives the places that are free to those who wait. The lock is held.
func (w *crew) grant() {
	w.stalled.Store(true) // before the limit is read: see wrote
	defer func() { w.stalled.Store(len(w.waiting[pressing])+len(w.waiting[leisurely]) > 0) }()
	for w.running < w.limit() {
		r := pressing
		switch now, later := len(w.waiting[pressing]), len(w.waiting[leisurely]); {
		case now+later == 0:
			return
		case later == 0:
			w.passed = 0
		case now == 0 || w.passed == patientFor:
			r, w.passed = leisurely, 0
		default:
			w.passed++
		}
		w.running++
		close(w.waiting[r][0])
		w.waiting[r] = w.waiting[r][1:]
	}
}

// release gives the place back, and the processor if searches run.
func (w *crew) release() {
	if n := w.searches.Load(); w.seen.Swap(n) != n {
		w.busy.Store(quietUnits)
	} else if w.busy.Load() > 0 {
		w.busy.Add(-1)
	}
	w.mu.Lock()
	w.running--
	w.grant()
	w.mu.Unlock()
	if w.polite() {
		runtime.Gosched()
	}
}

// urge lets workers use every processor until calm is called.
func (w *crew) urge() {
	w.urgent.Add(1)
	w.mu.Lock()
	w.grant()
	w.mu.Unlock()
}

func (w *crew) calm() { w.urgent.Add(-1) }
