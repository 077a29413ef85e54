package vecfile

import (
	"fmt"
)

// Reserve makes the slots below n usable: they have blocks on disk, so that Write
// cannot meet a full disk, and memory. It returns vfs.ErrNoSpace if the disk is
// full; then fewer slots than asked for may have been reserved, all that was
// there is as it was, and Reserve may be called again.
func (s *Store) Reserve(n uint32) error {
	if n <= s.reserved.Load() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return s.failed
	}
	for s.reserved.Load() < n {
		i := s.lay.chunk(s.reserved.Load())
		rows := int(min(uint64(n)-s.lay.first(i), uint64(s.lay.slots())))
		held, err := s.extend(i, rows)
		if err != nil {
			return fmt.Errorf("reserving slots below %d: %w", n, err)
		}
		s.reserved.Store(uint32(min(s.lay.first(i)+uint64(held), 1<<32-1)))
	}
	return nil
}

// extend gives chunk i, which is the last one or the next, at least rows rows,
// and returns how many it has.
func (s *Store) extend(i, rows int) (int, error) {
	if s.cfg.ReadOnly {
		return int(s.lay.slots()), s.overlay(i)
	}
	c := s.pending
	if i < len(s.chunks) {
		c = s.chunks[i]
	} else if c == nil {
		c = newChunk(i)
		s.pending = c
	}
	held := int(s.lay.slots())
	for _, f := range c.files {
		if err := s.prepare(f, rows); err != nil {
			return 0, err
		}
		held = min(held, s.lay.holds(f.kind, f.backed))
	}
	if i == len(s.chunks) {
		s.add(c)
	}
	return held, nil
}

// prepare makes a file real up to its first rows rows, and maps it.
func (s *Store) prepare(f *slotFile, rows int) error {
	if f.size == 0 {
		if err := s.create(f); err != nil {
			return err
		}
	}
	if err := s.allocate(f, s.lay.end(f.kind, rows)); err != nil {
		return err
	}
	return s.mapRows(f)
}

// add publishes a whole chunk behind the others.
func (s *Store) add(c *chunk) {
	s.pending = nil
	if s.warmed && c.files[codes].mapping != nil && s.codeBytes(len(s.chunks)) >= s.warmMin {
		s.cold.Store(true)
	}
	s.chunks = append(s.chunks, c)
	s.vecs.Store(s.vecs.Load().With(c.files[vectors].rows))
	s.codes.Store(s.codes.Load().With(c.codeRows()))
	old := *s.sides.Load()
	sides := append(old[:len(old):len(old)], c.files[sidecar].rows)
	s.sides.Store(&sides)
}

// codeBytes returns the size of the code rows of n chunks.
func (s *Store) codeBytes(n int) int64 { return int64(n) * int64(s.lay.rowBytes(codes)) }
