package attr

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/tarndb/tarn/internal/bitmap"
)

// fewSlots is up to how many slots are a list.
const fewSlots = 32

// slots is a set of slots: one, or what more says. It is never empty.
type slots struct {
	one  uint32
	more *group // nil: only one
}

// group is a sorted list, or a bitmap.
type group struct {
	few []uint32
	set *roaring.Bitmap // nil: few
}

func (s *slots) add(slot uint32) {
	switch g := s.more; {
	case g == nil && s.one == slot:
	case g == nil:
		s.more = &group{few: []uint32{min(s.one, slot), max(s.one, slot)}}
	case g.set != nil:
		g.set.Add(slot)
	default:
		i, found := slices.BinarySearch(g.few, slot)
		if found {
			return
		}
		if g.few = slices.Insert(g.few, i, slot); len(g.few) > fewSlots {
			g.set = roaring.BitmapOf(g.few...)
			g.few = nil
		}
	}
}

// remove takes out what is in gone and reports whether nothing is left.
func (s *slots) remove(gone bitmap.Words, set *roaring.Bitmap) bool {
	switch g := s.more; {
	case g == nil:
		return gone.Has(s.one)
	case g.set != nil:
		g.set.AndNot(set)
		return g.set.IsEmpty()
	default:
		if g.few = slices.DeleteFunc(g.few, gone.Has); len(g.few) == 1 {
			*s = slots{one: g.few[0]}
		}
		return len(g.few) == 0
	}
}

// weight is about what remove costs, one slot being one.
func (s *slots) weight() int {
	switch g := s.more; {
	case g == nil:
		return 1
	case g.set != nil:
		return 8 + int(g.set.GetCardinality()>>6)
	default:
		return 2 + len(g.few)>>1
	}
}

// join adds a set of slots, which it may keep.
func (s *slots) join(set *roaring.Bitmap) {
	if set.GetCardinality() <= fewSlots {
		eachOf(set, s.add)
		return
	}
	g := s.more
	switch {
	case g == nil:
		set.Add(s.one)
	case g.set != nil:
		set.Or(g.set)
	default:
		set.AddMany(g.few)
	}
	s.more = &group{set: set}
}

// each calls fn with the slots in ascending order.
func (s *slots) each(fn func(slot uint32)) {
	switch g := s.more; {
	case g == nil:
		fn(s.one)
	case g.set != nil:
		eachOf(g.set, fn)
	default:
		for _, slot := range g.few {
			fn(slot)
		}
	}
}

// put adds the slots to into; those beyond its end are of no interest.
func (s *slots) put(into bitmap.Words, spare *bitmap.Words) {
	if g := s.more; g != nil && g.set != nil {
		putSet(g.set, into, spare)
		return
	}
	s.each(func(slot uint32) {
		if int(slot>>6) < len(into) {
			into.Add(slot)
		}
	})
}

// dense is from one slot in how many on a bitmap is put by words.
const dense = 256

func putSet(set *roaring.Bitmap, into bitmap.Words, spare *bitmap.Words) {
	n := set.GetCardinality()
	if n == 0 {
		return
	}
	if set.Maximum()>>6 < uint32(len(into)) && set.Stats().BitmapContainers == 0 {
		set.WriteDenseTo(into) // which overwrites where it copies words only
		return
	}
	words := int(set.Maximum()>>16+1) * 1024 // whole containers are written
	if n*dense < uint64(len(into))*64 || words > len(into)+1024 {
		eachOf(set, func(slot uint32) {
			if int(slot>>6) < len(into) {
				into.Add(slot)
			}
		})
		return
	}
	if cap(*spare) < words {
		*spare = make(bitmap.Words, words)
	}
	w := (*spare)[:words]
	clear(w)
	set.WriteDenseTo(w)
	into.Or(w)
}

func eachOf(set *roaring.Bitmap, fn func(slot uint32)) {
	var buf [256]uint32
	for it := set.ManyIterator(); ; {
		n := it.NextMany(buf[:])
		if n == 0 {
			return
		}
		for _, slot := range buf[:n] {
			fn(slot)
		}
	}
}

// bytes is about how much memory the set takes beyond itself.
func (s *slots) bytes() int {
	switch g := s.more; {
	case g == nil:
		return 0
	case g.set != nil:
		return 160 + int(g.set.GetSizeInBytes())
	default:
		return 32 + 4*cap(g.few)
	}
}
