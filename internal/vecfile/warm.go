package vecfile

import (
	"context"
	"fmt"

	"github.com/tarndb/tarn/internal/vfs"
)

const (
	// defaultWarmMin: fewer bytes of codes than that are as quick where they
	// are, and huge pages for each of many small collections would be a waste.
	defaultWarmMin = 4 << 20
	warmBytes      = 256 << 10 // copied at a time, while writers wait
)

// Warm verifies the code rows of all chunks and, from a few MiB of codes on,
// copies them to huge pages, chunk by chunk. It is meant to run in the background:
// writers wait for a piece of a chunk at a time, readers for nothing. It may be
// called again, not twice at once; what was copied stays so. A chunk that is added later has its codes
// in the file alone until then (Cold): a page that is written for the first time is
// cleared first, which a burst of writes has no time for. Damage that codes cannot
// be made anew from is left to Check.
func (s *Store) Warm(ctx context.Context) error {
	s.mu.Lock()
	s.warmed = true
	s.mu.Unlock()
	s.cold.Store(false)
	for i := 0; ; i++ {
		more, err := s.warmChunk(ctx, i)
		if err != nil {
			return fmt.Errorf("warming chunk %d: %w", i, err)
		}
		if !more {
			return nil
		}
	}
}

// CheckFew is Warm, for stores that have few codes: those that searches read next are
// right then. A store with many is left to Warm.
func (s *Store) CheckFew(ctx context.Context) error {
	if s.usedCodes() >= s.warmMin {
		return nil
	}
	return s.Warm(ctx)
}

// warmChunk warms chunk i and reports whether there is one.
func (s *Store) warmChunk(ctx context.Context, i int) (more bool, err error) {
	c, err := s.beginCopy(i)
	if c == nil || err != nil {
		return false, err
	}
	defer func() { s.endCopy(i, c, err) }()
	step := max(warmBytes/s.lay.stride[codes], 1)
	for from := 0; from < int(s.lay.slots()); from += step {
		if err := ctx.Err(); err != nil {
			return true, err
		}
		if err := s.copyPiece(i, c, from, from+step); err != nil {
			return true, err
		}
	}
	return true, nil
}

// beginCopy returns chunk i, nil if there is none. It has memory to copy the
// codes to, unless they have been copied or all codes are few.
func (s *Store) beginCopy(i int) (*chunk, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || i >= len(s.chunks) {
		return nil, nil
	}
	c := s.chunks[i]
	if c.private != nil || c.files[codes].mapping == nil || s.usedCodes() < s.warmMin {
		return c, nil
	}
	var err error
	c.next, err = s.arena.take(s.lay.rowBytes(codes))
	return c, err
}

// copyPiece copies the rows from to to of chunk i, or verifies them, if it was
// not given memory to copy to.
func (s *Store) copyPiece(i int, c *chunk, from, to int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.failed
	}
	if i >= len(s.chunks) || s.chunks[i] != c {
		return nil // Shrink was quicker
	}
	to = min(to, s.rowsOf(i))
	switch {
	case from >= to || c.private != nil:
		return nil
	case c.next != nil:
		return s.copyCodes(c, c.next, from, to)
	}
	wrong, err := s.wrongCodes(c, from, to)
	if err != nil || !wrong {
		return err
	}
	block, err := s.arena.take(s.lay.rowBytes(codes))
	if err != nil {
		return err
	}
	if err := s.copyCodes(c, block, 0, s.rowsOf(i)); err != nil {
		return err
	}
	s.swapCodes(i, block)
	return nil
}

// endCopy shows the copy to readers, or gives it up.
func (s *Store) endCopy(i int, c *chunk, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.next == nil || s.closed: // Close has freed it
	case c.private == nil && err == nil && i < len(s.chunks) && s.chunks[i] == c:
		s.swapCodes(i, c.next)
	default:
		vfs.Release(c.next)
	}
	c.next = nil
}

// wrongCodes reports whether a code row among those from to to does not match
// its checksum while its vector does.
func (s *Store) wrongCodes(c *chunk, from, to int) (wrong bool, err error) {
	err = guard(func() error {
		first := uint32(s.lay.first(int(c.files[codes].chunk)))
		for slot := first + uint32(from); slot < first+uint32(to); slot++ {
			e := s.sideOf(c, slot)
			if e.lsn() != 0 && !e.matchesCodes(s.lay.row(codes, c.files[codes].rows, slot)) &&
				e.matchesVector(s.base, slot, s.lay.row(vectors, c.files[vectors].rows, slot)) {
				wrong = true
				return nil
			}
		}
		return nil
	})
	return wrong, err
}

// usedCodes returns the size of the code rows of all reserved slots.
func (s *Store) usedCodes() int64 { return int64(s.reserved.Load()) * int64(s.lay.stride[codes]) }
