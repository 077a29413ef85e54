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
	return b.claimOldest(most, b.claimReleased(most, into))
}

// ClaimAny is Claim from anywhere in the buffer, for when more comes in than can be
// worked on: what waits may be gone before its turn comes, and which of it will be
// nobody knows. Points that are written in turn again and again die oldest first.
func (b *Buffer) ClaimAny(most int, into []uint32) []uint32 {
	b.mu.Lock()
	defer b.mu.Unlock()
	most += len(into)
	into = b.claimReleased(most, into)
	chunks := b.view.Load().chunks
	for range probes {
		if len(into) == most || b.waiting.Len() == 0 {
			return into
		}
		into = b.claimFrom(chunks[b.random.IntN(len(chunks))], most, into)
	}
	return b.claimOldest(most, into)
}

// probes is how many chunks are looked at for slots that wait.
const probes = 8

// claimFrom claims slots of one chunk, from a random one on. The lock is held.
func (b *Buffer) claimFrom(c *chunk, most int, into []uint32) []uint32 {
	n := int(c.n.Load())
	if n == 0 {
		return into
	}
	from := b.random.IntN(n)
	for i := range n {
		slot := c.slots[(from+i)%n].Load()
		if len(into) == most {
			break
		}
		if slot != none && b.waiting.Remove(slot) {
			into = append(into, slot)
		}
	}
	return into
}

// claimReleased claims what was released. The lock is held.
func (b *Buffer) claimReleased(most int, into []uint32) []uint32 {
	for len(b.released) > 0 && len(into) < most {
		slot := b.released[0]
		b.released = b.released[1:]
		if b.waiting.Remove(slot) { // by I4: whoever takes the bit has the claim
			into = append(into, slot)
		}
	}
	return into
}

// claimOldest claims from the cursor on. The lock is held.
func (b *Buffer) claimOldest(most int, into []uint32) []uint32 {
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
