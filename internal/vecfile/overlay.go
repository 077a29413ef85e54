package vecfile

import (
	"fmt"
)

// A read-only store takes writes, for a log that is replayed in memory. Where
// there are whole files, they go to the pages of a private mapping that they
// touch; where a file ends, the chunk becomes memory.
//
//	file     |header|rows ......|            chunk 2: mapped copy-on-write
//	file     |header|rows ..|                chunk 3: the file ends: copied
//	                                         chunk 4: no file: zeros

// overlay gives chunk i of a read-only store memory for all its rows.
func (s *Store) overlay(i int) error {
	c := newChunk(i)
	if i < len(s.chunks) {
		for k, f := range s.chunks[i].files {
			copied := *f
			c.files[k] = &copied
		}
	}
	for _, f := range c.files {
		if err := s.overlayFile(f); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if i == len(s.chunks) {
		s.add(c)
		return nil
	}
	s.swap(i, c)
	return nil
}

// overlayFile makes rows of the file memory, unless all of them are mapped.
func (s *Store) overlayFile(f *slotFile) error {
	if f.rows != nil && s.lay.holds(f.kind, f.size) == int(s.lay.slots()) {
		return nil
	}
	rows, err := s.arena.take(s.lay.rowBytes(f.kind))
	if err != nil {
		return err
	}
	if f.rows != nil {
		there := s.lay.holds(f.kind, f.size) * s.lay.stride[f.kind]
		err = guard(func() error {
			copy(rows, f.rows[:there])
			return nil
		})
	}
	f.rows = rows
	return err
}

// swap replaces chunk i by one with the same rows and more. The old memory stays
// mapped until Close.
func (s *Store) swap(i int, c *chunk) {
	c.private = s.chunks[i].private
	s.chunks[i] = c
	s.vecs.Store(s.vecs.Load().Replace(i, c.files[vectors].rows))
	s.codes.Store(s.codes.Load().Replace(i, c.codeRows()))
	sides := append([][]byte(nil), *s.sides.Load()...)
	sides[i] = c.files[sidecar].rows
	s.sides.Store(&sides)
}
