package delta

// cursor is a place in the entries.
type cursor struct {
	c   *chunk
	off uint32
}

// Claim appends to into up to most slots that nobody has claimed, the oldest
// first, those that were released before all others. A claim ends with Release
// or Remove.
func (b *Buffer) Claim(most int, into []uint32) []uint32 {
	b.mu.Lock()
	defer b.mu.Unlock()
	most += len(into)
	for len(b.released) > 0 && len(into) < most {
		slot := b.released[0]
		b.released = b.released[1:]
		if b.waiting.Remove(slot) { // by I4: whoever takes the bit has the claim
			into = append(into, slot)
		}
	}
	for len(into) < most {
		slot, ok := b.advance()
		if !ok {
			break
		}
		if slot != none && b.waiting.Remove(slot) {
			into = append(into, slot)
		}
	}
	return into
}

// Release gives back a slot that was claimed and is still here, for the next
// Claim.
func (b *Buffer) Release(slot uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.in.Has(slot) && b.waiting.Add(slot) {
		b.released = append(b.released, slot)
	}
}

// advance returns the entry at the cursor and steps over it. The lock is held.
func (b *Buffer) advance() (slot uint32, ok bool) {
	k := &b.cursor
	if k.c != nil && k.off == chunkSlots && k.c.next != nil {
		*k = cursor{c: k.c.next}
	}
	if k.c == nil || k.off == k.c.n.Load() {
		return 0, false
	}
	k.off++
	return k.c.slots[k.off-1].Load(), true
}
