package delta

import "sync/atomic"

const (
	chunkShift = 10
	chunkSlots = 1 << chunkShift

	// none marks a gap. No table of rows has a row for this slot.
	none = 1<<32 - 1
)

// chunk is a piece of the array of entries.
type chunk struct {
	slots [chunkSlots]atomic.Uint32 // none where an entry was removed
	n     atomic.Uint32             // entries below n are there; all of them but in the last chunk

	// guarded by the buffer's lock
	id   uint32
	dead int
	next *chunk
}

// view is what readers scan: all chunks but the last are full. It is immutable;
// views share the array behind chunks.
type view struct {
	chunks []*chunk
}

// places says where the entry of a slot is: chunk id << chunkShift | offset, in
// pages that exist while a slot of theirs has an entry.
type places struct {
	pages []*placePage
}

const (
	pageShift = 12
	pageSlots = 1 << pageShift
)

type placePage struct {
	at   [pageSlots]uint32
	used int
}

func (p *places) put(slot, at uint32) {
	i := int(slot >> pageShift)
	for i >= len(p.pages) {
		p.pages = append(p.pages, nil)
	}
	if p.pages[i] == nil {
		p.pages[i] = new(placePage)
	}
	p.pages[i].at[slot&(pageSlots-1)] = at
	p.pages[i].used++
}

// take returns the place of a slot that has one, and forgets it.
func (p *places) take(slot uint32) uint32 {
	i := slot >> pageShift
	page := p.pages[i]
	if page.used--; page.used == 0 {
		p.pages[i] = nil
	}
	return page.at[slot&(pageSlots-1)]
}

// move changes the place of a slot that has one.
func (p *places) move(slot, at uint32) {
	p.pages[slot>>pageShift].at[slot&(pageSlots-1)] = at
}
