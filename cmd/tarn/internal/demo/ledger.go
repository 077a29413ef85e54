package demo

import "sync"

// ledger is what the store must hold: for each id the vector it was last
// acknowledged at, or that its delete was acknowledged. Ids are 1..n.
type ledger struct {
	mu      sync.RWMutex
	entries []entry
	recent  [256]uint64 // ring of the ids acknowledged last
	settled int         // how many were put into the ring
	gone    int         // deletes acknowledged
}

type entry struct {
	vector  []float32 // nil: never acknowledged, or deleted
	version uint32    // odd while a write is under way
	gone    int       // deletes acknowledged up to and with this one; 0: not deleted
}

// expectation is what the ledger said of one id at one moment.
type expectation struct {
	id      uint64
	vector  []float32
	version uint32
	gone    int // deletes acknowledged at that moment, of any id
}

func newLedger(n int) *ledger { return &ledger{entries: make([]entry, n+1)} }

// begin says that a write to id is about to be sent: until it is settled
// nothing can be expected of id. One write to an id may be under way at a time.
func (l *ledger) begin(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries[id].version++
}

// settle says that the write under way was acknowledged, with id at vector.
func (l *ledger) settle(id uint64, vector []float32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := &l.entries[id]
	e.version++
	e.vector = vector
	l.recent[l.settled%len(l.recent)] = id
	l.settled++
}

// remove says that the delete under way was acknowledged. Deletes are final (I2).
func (l *ledger) remove(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := &l.entries[id]
	e.version++
	e.vector = nil
	l.gone++
	e.gone = l.gone
}

// expect returns what must be true of id now; ok is false while that is not
// known, and for ids that are not there.
func (l *ledger) expect(id uint64) (_ expectation, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	e := &l.entries[id]
	if e.version%2 != 0 || e.vector == nil {
		return expectation{}, false
	}
	return expectation{id: id, vector: e.vector, version: e.version, gone: l.gone}, true
}

// still reports whether no write to the expected id began since (I1).
func (l *ledger) still(x expectation) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.entries[x.id].version == x.version
}

// goneBefore reports whether id was deleted when the expectation was formed.
func (l *ledger) goneBefore(x expectation, id uint64) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return id < uint64(len(l.entries)) && l.entries[id].gone != 0 && l.entries[id].gone <= x.gone
}

// newest returns the id that was acknowledged back steps ago, 0 if there is none.
func (l *ledger) newest(back int) uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if back >= l.settled || back >= len(l.recent) {
		return 0
	}
	return l.recent[(l.settled-1-back)%len(l.recent)]
}

// live returns the ids that must be there, deleted those that must not.
// Call it when nothing is under way.
func (l *ledger) live() (live, deleted []uint64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for id := range l.entries {
		switch e := &l.entries[id]; {
		case e.vector != nil:
			live = append(live, uint64(id))
		case e.gone != 0:
			deleted = append(deleted, uint64(id))
		}
	}
	return live, deleted
}
