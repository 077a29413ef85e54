package bitmap

import (
	"iter"
	"math/bits"
	"slices"
)

// Words is a set of slots that one goroutine computes with: word i holds slots 64*i
// to 64*i+63, bit 0 first. What lies beyond its end is not in it.
type Words []uint64

// Words overwrites into with the slots of the set, and returns it. Beside writers
// each slot is as it was at some instant.
func (s *Set) Words(into Words) Words {
	n := s.Pieces() * PieceWords
	if cap(into) < n {
		into = make(Words, n)
	}
	into = into[:n]
	if s == nil || n == 0 {
		return into
	}
	for i, p := range *s.dir.Load() {
		if (i+1)*PieceWords > n {
			break // grown meanwhile
		}
		to := into[i*PieceWords : (i+1)*PieceWords]
		if p == nil {
			clear(to)
			continue
		}
		for j := range to {
			to[j] = p[j].Load()
		}
	}
	return into
}

// WordsOf returns the set of some slots.
func WordsOf(slots []uint32) Words {
	if len(slots) == 0 {
		return nil
	}
	w := make(Words, slices.Max(slots)>>6+1)
	for _, slot := range slots {
		w.Add(slot)
	}
	return w
}

// Has reports whether slot is in the set.
func (w Words) Has(slot uint32) bool {
	i := int(slot >> 6)
	return i < len(w) && w[i]>>(slot&63)&1 != 0
}

// Word returns word i.
func (w Words) Word(i int) uint64 {
	if i < len(w) {
		return w[i]
	}
	return 0
}

// Add puts in a slot that is not beyond the end.
func (w Words) Add(slot uint32) { w[slot>>6] |= 1 << (slot & 63) }

// Len returns the number of slots in the set.
func (w Words) Len() int {
	n := 0
	for _, x := range w {
		n += bits.OnesCount64(x)
	}
	return n
}

// And leaves only what is in o as well.
func (w Words) And(o Words) {
	n := min(len(w), len(o))
	for i, x := range o[:n] {
		w[i] &= x
	}
	clear(w[n:])
}

// AndNot takes out what is in o.
func (w Words) AndNot(o Words) {
	n := min(len(w), len(o))
	for i, x := range o[:n] {
		w[i] &^= x
	}
}

// Or adds what is in o and not beyond the end of w.
func (w Words) Or(o Words) {
	n := min(len(w), len(o))
	for i, x := range o[:n] {
		w[i] |= x
	}
}

// All yields the slots of the set in ascending order.
func (w Words) All() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for i, x := range w {
			for ; x != 0; x &= x - 1 {
				if !yield(uint32(i)<<6 | uint32(bits.TrailingZeros64(x))) {
					return
				}
			}
		}
	}
}

// Next returns the smallest slot of the set that is at or above from.
func (w Words) Next(from uint32) (slot uint32, ok bool) {
	i := int(from >> 6)
	if i >= len(w) {
		return 0, false
	}
	for x := w[i] &^ (1<<(from&63) - 1); ; x = w[i] {
		if x != 0 {
			return uint32(i)<<6 | uint32(bits.TrailingZeros64(x)), true
		}
		if i++; i >= len(w) {
			return 0, false
		}
	}
}
