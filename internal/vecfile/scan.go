package vecfile

import (
	"math/bits"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
)

// ScanIDs calls fn with the slots of live from from to to (excluded) and their
// ids, in ascending order, until fn returns false. Slots that are not live are
// not read: somebody may be writing them.
func (s *Store) ScanIDs(live *bitmap.Set, from, to uint32, fn func(slot uint32, id uint64) bool) error {
	return s.scan(live, from, to, func(slot uint32, row sideRow) bool {
		return fn(slot, row.id())
	})
}

// Find returns the live slot that holds id, looking at every one if it must.
func (s *Store) Find(live *bitmap.Set, id uint64) (slot uint32, ok bool, err error) {
	err = s.scan(live, 0, s.reserved.Load(), func(at uint32, row sideRow) bool {
		if ok = row.id() == id; ok {
			slot = at
		}
		return !ok
	})
	return slot, ok, err
}

// Digest returns the sum of the hashes of the live slots' sidecar entries.
func (s *Store) Digest(live *bitmap.Set) (sum uint64, err error) {
	err = s.scan(live, 0, s.reserved.Load(), func(_ uint32, row sideRow) bool {
		sum += codec.Hash(row)
		return true
	})
	return sum, err
}

// scan calls fn with the sidecar rows of live slots.
func (s *Store) scan(live *bitmap.Set, from, to uint32, fn func(slot uint32, row sideRow) bool) error {
	to = min(to, s.reserved.Load())
	sides := *s.sides.Load() // of another moment, beside a Reserve or a Shrink
	return guard(func() error {
		for i := from / 64; i < uint32((uint64(to)+63)/64); i++ {
			for w := live.Word(int(i)); w != 0; w &= w - 1 {
				slot := i*64 + uint32(bits.TrailingZeros64(w))
				if slot < from || slot >= to || s.lay.chunk(slot) >= len(sides) {
					continue
				}
				if !fn(slot, s.lay.row(sidecar, sides[s.lay.chunk(slot)], slot)) {
					return nil
				}
			}
		}
		return nil
	})
}
