package bitmap

import (
	"iter"
	"math/bits"
	"sync"
	"sync/atomic"
)

const (
	// PieceWords is the number of 64-bit words of one piece.
	PieceWords = 1024
	// PieceSlots is the number of slots of one piece.
	PieceSlots = PieceWords * 64

	pieceShift = 16
)

type piece [PieceWords]atomic.Uint64

// Set is a set of slots. The zero value is empty and ready to use. It must not
// be copied after its first use.
type Set struct {
	dir  atomic.Pointer[[]*piece]
	n    atomic.Int64
	grow sync.Mutex // serialises copies of dir
}

// Has reports whether slot is in the set. A nil set has nothing.
func (s *Set) Has(slot uint32) bool {
	if s == nil {
		return false
	}
	d := s.dir.Load()
	if d == nil || int(slot>>pieceShift) >= len(*d) {
		return false
	}
	p := (*d)[slot>>pieceShift]
	return p != nil && p[slot>>6&(PieceWords-1)].Load()>>(slot&63)&1 != 0
}

// Add puts slot into the set and reports whether it was not there before.
func (s *Set) Add(slot uint32) bool {
	w := &s.piece(slot)[slot>>6&(PieceWords-1)]
	bit := uint64(1) << (slot & 63)
	if w.Or(bit)&bit != 0 {
		return false
	}
	s.n.Add(1)
	return true
}

// Remove takes slot out of the set and reports whether it was there.
func (s *Set) Remove(slot uint32) bool {
	if !s.Has(slot) {
		return false
	}
	w := &s.piece(slot)[slot>>6&(PieceWords-1)]
	bit := uint64(1) << (slot & 63)
	if w.And(^bit)&bit == 0 {
		return false
	}
	s.n.Add(-1)
	return true
}

// Len returns the number of slots in the set.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return int(s.n.Load())
}

// Pieces returns how many pieces the set spans; slots at or above
// Pieces()*PieceSlots are not in it.
func (s *Set) Pieces() int {
	if s == nil {
		return 0
	}
	if d := s.dir.Load(); d != nil {
		return len(*d)
	}
	return 0
}

// Word returns the 64 bits of slots 64*i to 64*i+63, bit 0 first.
func (s *Set) Word(i int) uint64 {
	if s == nil {
		return 0
	}
	d := s.dir.Load()
	if d == nil || i/PieceWords >= len(*d) {
		return 0
	}
	p := (*d)[i/PieceWords]
	if p == nil {
		return 0
	}
	return p[i%PieceWords].Load()
}

// SetWord overwrites the 64 bits of slots 64*i to 64*i+63. It must not run
// beside other writers.
func (s *Set) SetWord(i int, w uint64) {
	if w == 0 && s.Word(i) == 0 {
		return
	}
	p := s.piece(uint32(i) << 6)
	old := p[i%PieceWords].Swap(w)
	s.n.Add(int64(bits.OnesCount64(w) - bits.OnesCount64(old)))
}

// Next returns the smallest slot of the set that is at or above from.
func (s *Set) Next(from uint32) (slot uint32, ok bool) {
	words := s.Pieces() * PieceWords
	i := int(from >> 6)
	if i >= words {
		return 0, false
	}
	w := s.Word(i) &^ (1<<(from&63) - 1)
	for w == 0 {
		if i++; i >= words {
			return 0, false
		}
		w = s.Word(i)
	}
	return uint32(i)<<6 | uint32(bits.TrailingZeros64(w)), true
}

// All yields the slots of the set in ascending order. A slot that is added or
// removed meanwhile may or may not be seen.
func (s *Set) All() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for i := range s.Pieces() * PieceWords {
			for w := s.Word(i); w != 0; w &= w - 1 {
				if !yield(uint32(i)<<6 | uint32(bits.TrailingZeros64(w))) {
					return
				}
			}
		}
	}
}

// Clone returns a copy. Beside writers each bit is copied as it was at some
// instant; for a copy of one instant the caller keeps writers out.
func (s *Set) Clone() *Set {
	c := &Set{}
	for i := range s.Pieces() * PieceWords {
		if w := s.Word(i); w != 0 {
			c.SetWord(i, w)
		}
	}
	return c
}

// piece returns the piece that holds slot, growing the directory if needed.
func (s *Set) piece(slot uint32) *piece {
	i := int(slot >> pieceShift)
	if d := s.dir.Load(); d != nil && i < len(*d) && (*d)[i] != nil {
		return (*d)[i]
	}
	s.grow.Lock()
	defer s.grow.Unlock()
	var old []*piece
	if d := s.dir.Load(); d != nil {
		old = *d
	}
	if i < len(old) && old[i] != nil {
		return old[i]
	}
	dir := make([]*piece, max(len(old), i+1))
	copy(dir, old)
	dir[i] = new(piece)
	s.dir.Store(&dir)
	return dir[i]
}
