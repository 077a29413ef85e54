package delta

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tarndb/tarn/internal/bitmap"
)

// Buffer is the set of slots that one graph does not hold yet, in the order in
// which they came.
type Buffer struct {
	view atomic.Pointer[view]
	in   bitmap.Set // what is here

	mu      sync.Mutex // guards the rest, and who publishes a view
	places  places
	chunks  []*chunk // by id
	freeIDs []uint32

	waiting  bitmap.Set // what is here and not claimed
	cursor   cursor     // no entry before it is waiting, but those in released
	released []uint32
	random   *rand.Rand // of ClaimAny
}

// New returns an empty buffer.
func New() *Buffer {
	b := &Buffer{random: rand.New(rand.NewPCG(0, 0))}
	b.publish(&view{})
	return b
}

// Add puts a slot behind all others; one that is here already stays where it
// is. Its rows must be readable.
func (b *Buffer) Add(slot uint32) {
	if slot == none {
		panic(fmt.Sprintf("delta: slot %d has no row", slot))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.in.Add(slot) {
		return
	}
	c := b.last()
	off := c.n.Load()
	c.slots[off].Store(slot)
	b.places.put(slot, c.id<<chunkShift|off)
	b.waiting.Add(slot)
	c.n.Store(off + 1) // by I1: the entry is there before it counts
}

// Remove takes a slot out and reports whether it was here.
func (b *Buffer) Remove(slot uint32) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.in.Remove(slot) {
		return false
	}
	b.waiting.Remove(slot)
	at := b.places.take(slot)
	c := b.chunks[at>>chunkShift]
	c.slots[at&(chunkSlots-1)].Store(none)
	c.dead++
	switch {
	case c.dead == chunkSlots:
		b.unlink(c)
	case len(b.chunks)-len(b.freeIDs) > 4+4*b.in.Len()/chunkSlots:
		b.compact()
	}
	return true
}

// Has reports whether a slot is here.
func (b *Buffer) Has(slot uint32) bool { return b.in.Has(slot) }

// In returns the set of what is here, which goes on changing.
func (b *Buffer) In() *bitmap.Set { return &b.in }

// Len returns the number of slots here.
func (b *Buffer) Len() int { return b.in.Len() }

func (b *Buffer) publish(v *view) { b.view.Store(v) }

// last returns a chunk with room for an entry. The lock is held.
func (b *Buffer) last() *chunk {
	v := b.view.Load()
	if n := len(v.chunks); n > 0 {
		if c := v.chunks[n-1]; c.n.Load() < chunkSlots {
			return c
		}
	}
	chunks := b.link(v.chunks)
	b.publish(&view{chunks}) // older views are shorter and do not see the new chunk
	return chunks[len(chunks)-1]
}

// link appends an empty chunk. The lock is held.
func (b *Buffer) link(chunks []*chunk) []*chunk {
	c := b.newChunk()
	if n := len(chunks); n > 0 {
		chunks[n-1].next = c
	}
	if b.cursor.c == nil {
		b.cursor = cursor{c: c}
	}
	return append(chunks, c)
}

// newChunk returns an empty chunk with an id of its own. The lock is held.
func (b *Buffer) newChunk() *chunk {
	c := new(chunk)
	if n := len(b.freeIDs); n > 0 {
		c.id = b.freeIDs[n-1]
		b.freeIDs = b.freeIDs[:n-1]
		b.chunks[c.id] = c
		return c
	}
	c.id = uint32(len(b.chunks))
	b.chunks = append(b.chunks, c)
	return c
}

// unlink publishes a view without a chunk that is all gaps. The lock is held.
func (b *Buffer) unlink(c *chunk) {
	if b.cursor.c == c {
		b.cursor = cursor{c: c.next}
	}
	old := b.view.Load().chunks
	i := slices.Index(old, c)
	kept := old[1:] // work goes from the oldest on, so mostly it is the first
	if i > 0 {
		old[i-1].next = c.next
		kept = slices.Concat(old[:i], old[i+1:])
	}
	b.publish(&view{kept})
	b.chunks[c.id] = nil
	b.freeIDs = append(b.freeIDs, c.id)
}

// compact publishes a view of fresh chunks without gaps. The lock is held.
func (b *Buffer) compact() {
	old := b.view.Load().chunks
	b.chunks, b.freeIDs, b.cursor = nil, nil, cursor{}
	var fresh []*chunk
	for _, from := range old {
		for i := range from.n.Load() {
			slot := from.slots[i].Load()
			if slot == none {
				continue
			}
			if n := len(fresh); n == 0 || fresh[n-1].n.Load() == chunkSlots {
				fresh = b.link(fresh)
			}
			to := fresh[len(fresh)-1]
			off := to.n.Load()
			to.slots[off].Store(slot)
			to.n.Store(off + 1)
			b.places.move(slot, to.id<<chunkShift|off)
		}
	}
	b.publish(&view{fresh})
}
