package collection

import (
	"slices"
	"sync"

	"github.com/tarndb/tarn/delta"
	"github.com/tarndb/tarn/internal/attr"
	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/filter"
	"github.com/tarndb/tarn/internal/kernel"
)

// scratch is what one search works with; it is used again by a later one.
type scratch struct {
	pin   pin
	query kernel.Query
	top   delta.Top
	near  []kernel.Candidate // of the delta or a scan, then of all
	graph []kernel.Candidate
	hits  []hit
	moved []uint64
	slots []uint32
	dists []float32
	data  [][]byte
	match matcher

	decided decision
}

// matcher is what deciding a filter works with.
type matcher struct {
	filter.Scratch
	set   bitmap.Words // what matches
	may   bitmap.Words // what indexes do not rule out
	slots []uint32     // a batch of those that must be looked at

	live   bitmap.Words   // of the instant
	sets   []bitmap.Words // memory of bounds
	used   int
	lookup attr.Scratch
}

// hit is a point that a search found.
type hit struct {
	id   uint64
	slot uint32
	dist float32 // as results show it
}

// scratches is a free list. A sync.Pool would be emptied by every garbage
// collection, and its pins with it.
type scratches struct {
	mu   sync.Mutex
	free []*scratch
}

// take returns a scratch whose pin is held.
func (c *Collection) takeScratch() *scratch {
	f := &c.scratch
	f.mu.Lock()
	var s *scratch
	if n := len(f.free); n > 0 {
		s, f.free = f.free[n-1], f.free[:n-1]
	}
	f.mu.Unlock()
	if s == nil {
		s = &scratch{}
		c.pins.register(&s.pin)
	}
	s.pin.hold(&c.clock)
	return s
}

const (
	// maxFree is how many are kept. More searches than that at once are rare, and
	// each may have sets of all slots.
	maxFree = 64
	// maxSets is how many sets of bounds are kept: filters that are nested deep are rare.
	maxSets = 16
)

func (c *Collection) putScratch(s *scratch) {
	s.pin.release()
	if m := &s.match; len(m.sets) > maxSets {
		m.sets = slices.Clone(m.sets[:maxSets])
	}
	f := &c.scratch
	f.mu.Lock()
	keep := len(f.free) < maxFree
	if keep {
		f.free = append(f.free, s)
	}
	f.mu.Unlock()
	if !keep {
		c.pins.unregister(&s.pin)
	}
}
