package delta

import (
	"slices"

	"github.com/tarndb/tarn/internal/kernel"
)

const (
	exactSlots = 32      // float32 rows compared in one call
	nearLimit  = 4 << 10 // and 8 k: candidates kept before they are thinned out
)

// trim drops candidates that the limit rules out by now, and re-scores them if
// most remain: many vectors are nearly equal then.
func (s *scan) trim() error {
	t := s.top
	kept := t.near[:0]
	for _, c := range t.near {
		if c.Dist <= s.limit {
			kept = append(kept, c)
		}
	}
	t.near = kept
	if len(kept) < nearLimit/2+4*t.k {
		return nil
	}
	if err := s.rescore(); err != nil {
		return err
	}
	s.tighten()
	return s.ctx.Err()
}

// rescore compares the float32 vectors of the candidates, nearest first, until
// the k nearest are nearer than the next one can be.
func (s *scan) rescore() error {
	t := s.top
	slices.SortFunc(t.near, compare)
	vecs := s.src.Vectors()
	for rest := t.near; len(rest) > 0; {
		n := 0
		for n < min(len(rest), exactSlots) && rest[n].Dist <= s.limit {
			t.slots[n] = rest[n].Slot
			n++
		}
		if n == 0 {
			break
		}
		if err := s.exact(vecs, t.slots[:n]); err != nil {
			return err
		}
		rest = rest[n:]
		s.tighten()
	}
	t.near = t.near[:0]
	return nil
}

// exact offers slots with their float32 distances.
func (s *scan) exact(vecs *kernel.Rows, slots []uint32) error {
	t := s.top
	if err := s.src.Check(slots); err != nil {
		return err
	}
	s.q.Vectors(s.codes, vecs, slots, t.exact[:])
	for i, slot := range slots {
		t.offer(kernel.Candidate{Slot: slot, Dist: t.exact[i]})
	}
	return nil
}
