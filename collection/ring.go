package collection

import "sync/atomic"

// ring keeps the newest moves: points that were given a new slot while an old one
// was live. It has one writer, under the publication lock.
//
//	start of a search: settled          end of a search: pushed
//	     |                                   |
//	 ... m m m m m m m m m m m m m m m m m m |   these may have been lost or seen twice
//
// By I5 a move is pushed before its old slot dies and counted as settled after, so
// a search that finds an old slot dead finds its move between the two.
type ring struct {
	ids     []atomic.Uint64
	pushed  atomic.Uint64
	settled atomic.Uint64
}

func (r *ring) init(size int) { r.ids = make([]atomic.Uint64, size) }

func (r *ring) push(id uint64) {
	n := r.pushed.Load()
	r.ids[n%uint64(len(r.ids))].Store(id)
	r.pushed.Store(n + 1)
}

func (r *ring) settle() { r.settled.Store(r.pushed.Load()) }

// since appends the ids that moved after the first `start` moves; ok is false if
// the ring has wrapped meanwhile.
func (r *ring) since(start uint64, into []uint64) (ids []uint64, ok bool) {
	size := uint64(len(r.ids))
	end := r.pushed.Load()
	if end-start >= size {
		return into, false
	}
	for i := start; i < end; i++ {
		into = append(into, r.ids[i%size].Load())
	}
	// The writer stores an entry before it counts it: one more than counted may
	// have been overwritten.
	return into, r.pushed.Load()-start < size
}
