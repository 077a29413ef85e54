package collection

import (
	"iter"
	"maps"
	"slices"
	"sort"
)

// slotBlobs keeps blobs by slot. New slots ascend, and what ascends is a list, which
// costs a tenth of a map; only what comes later than a higher slot is in one.
//
//	list: blocks of blobBlock, slots ascend ── mostly slot by slot: looked for where it
//	                                           would be if none were left out
//	rest: what came out of order             ── looked for first
type slotBlobs struct {
	list [][]slotBlob
	last uint32 // slot of the list
	rest map[uint32][]byte
}

type slotBlob struct {
	slot uint32
	data []byte // nil: dropped
}

const blobBlock = 1 << 10

// put keeps data, which is not nil, in place of what there was.
func (b *slotBlobs) put(slot uint32, data []byte) {
	if len(b.list) > 0 && slot <= b.last {
		if b.rest == nil {
			b.rest = map[uint32][]byte{}
		}
		b.rest[slot] = data
		return
	}
	end := len(b.list) - 1
	switch {
	case end < 0: // few may follow
		b.list, end = [][]slotBlob{nil}, 0
	case len(b.list[end]) == blobBlock:
		b.list, end = append(b.list, make([]slotBlob, 0, blobBlock)), end+1
	}
	b.list[end] = append(b.list[end], slotBlob{slot, data})
	b.last = slot
}

func (b *slotBlobs) get(slot uint32) ([]byte, bool) {
	if data, ok := b.rest[slot]; ok {
		return data, true
	}
	if p := b.find(slot); p != nil && p.data != nil {
		return p.data, true
	}
	return nil, false
}

func (b *slotBlobs) drop(slot uint32) {
	delete(b.rest, slot)
	if p := b.find(slot); p != nil {
		p.data = nil
	}
}

// find returns the place of a slot in the list, nil if it has none.
func (b *slotBlobs) find(slot uint32) *slotBlob {
	if len(b.list) == 0 || slot < b.list[0][0].slot || slot > b.last {
		return nil
	}
	at := func(i int) *slotBlob { return &b.list[i/blobBlock][i%blobBlock] }
	end := len(b.list) - 1
	most := int(min(uint32(end*blobBlock+len(b.list[end])-1), slot-b.list[0][0].slot))
	if p := at(most); p.slot == slot {
		return p
	}
	if p := at(sort.Search(most, func(i int) bool { return at(i).slot >= slot })); p.slot == slot {
		return p
	}
	return nil
}

// empty reports whether nothing was put.
func (b *slotBlobs) empty() bool { return len(b.list) == 0 }

// all returns what is kept, ascending by slot.
func (b *slotBlobs) all() iter.Seq2[uint32, []byte] {
	return func(yield func(uint32, []byte) bool) {
		late := slices.Sorted(maps.Keys(b.rest)) // none is above the last of the list
		for _, block := range b.list {
			for _, p := range block {
				for ; len(late) > 0 && late[0] <= p.slot; late = late[1:] {
					if !yield(late[0], b.rest[late[0]]) {
						return
					}
				}
				if _, again := b.rest[p.slot]; p.data != nil && !again && !yield(p.slot, p.data) {
					return
				}
			}
		}
	}
}
