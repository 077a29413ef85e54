package vecfile

import (
	"fmt"
	"log/slog"

	"github.com/tarndb/tarn/internal/kernel"
)

// Check verifies the checksums of slots that nobody has verified in this process
// (those it wrote itself count as verified). A wrong vector or sidecar entry is
// codec.ErrCorrupt; codes that do not match a right vector are made anew, in
// memory. It allocates nothing once the slots are known.
func (s *Store) Check(slots []uint32) error {
	for i, slot := range slots {
		if !s.checked.Has(slot) {
			return s.checkNew(slots[i:])
		}
	}
	return nil
}

func (s *Store) checkNew(slots []uint32) error {
	return guard(func() error {
		for _, slot := range slots {
			if s.checked.Has(slot) {
				continue
			}
			if err := s.checkSlot(slot); err != nil {
				return err
			}
		}
		return nil
	})
}

// checkSlot verifies the rows of one slot as readers see them.
func (s *Store) checkSlot(slot uint32) error {
	if slot >= s.reserved.Load() {
		return damaged(fileName(sidecar, uint32(s.lay.chunk(slot))), s.lay.offset(sidecar, slot),
			fmt.Sprintf("slot %d is not there", slot))
	}
	e := s.side(slot)
	if !e.matchesVector(s.base, slot, s.vecs.Load().Bytes(slot)) {
		return s.wrongVector(slot)
	}
	if !e.matchesCodes(s.codes.Load().Bytes(slot)) {
		if err := s.recode(slot); err != nil {
			return err
		}
	}
	s.checked.Add(slot)
	return nil
}

// wrongVector returns the error for a vector and a sidecar entry that do not
// belong together; which of the two is damaged cannot be told.
func (s *Store) wrongVector(slot uint32) error {
	return damaged(fileName(vectors, uint32(s.lay.chunk(slot))), s.lay.offset(vectors, slot),
		fmt.Sprintf("slot %d does not match its checksum in %s", slot, fileName(sidecar, uint32(s.lay.chunk(slot)))))
}

// recode gives the chunk of a slot whose codes are wrong codes in memory, made
// from the vectors where the file's are wrong.
func (s *Store) recode(slot uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.lay.chunk(slot)
	if i >= len(s.chunks) {
		return s.wrongVector(slot)
	}
	e := s.side(slot)
	if e.matchesCodes(s.codes.Load().Bytes(slot)) {
		return nil // somebody was quicker
	}
	block, err := s.arena.take(s.lay.rowBytes(codes))
	if err != nil {
		return fmt.Errorf("memory for the codes of chunk %d: %w", i, err)
	}
	if err := s.copyCodes(s.chunks[i], block, 0, s.rowsOf(i)); err != nil {
		return err
	}
	s.swapCodes(i, block)
	return nil
}

// rowsOf returns how many slots of chunk i are reserved.
func (s *Store) rowsOf(i int) int {
	n := uint64(s.reserved.Load())
	return int(min(n-min(n, s.lay.first(i)), uint64(s.lay.slots())))
}

// swapCodes makes block the memory in which the codes of chunk i are searched.
// Readers of the table before it go on in the old memory.
func (s *Store) swapCodes(i int, block []byte) {
	s.chunks[i].private = block
	s.codes.Store(s.codes.Load().Replace(i, block))
}

// copyCodes copies the code rows from to to (excluded) of a chunk to dst. A row
// that does not match its checksum is encoded again if the vector does; else it
// is copied as it is: it belongs to a slot without a point, or Check will tell.
func (s *Store) copyCodes(c *chunk, dst []byte, from, to int) error {
	return guard(func() error {
		first := uint32(s.lay.first(int(c.files[codes].chunk)))
		for slot := first + uint32(from); slot < first+uint32(to); slot++ {
			src := s.lay.row(codes, c.files[codes].rows, slot)
			row := s.lay.row(codes, dst, slot)
			copy(row, src)
			if e := s.sideOf(c, slot); e.matchesCodes(row) {
				continue
			}
			s.encodeAgain(c, slot, row)
		}
		return nil
	})
}

// encodeAgain makes a code row from a vector, if that is right.
func (s *Store) encodeAgain(c *chunk, slot uint32, row []byte) {
	e := s.sideOf(c, slot)
	vec := s.lay.row(vectors, c.files[vectors].rows, slot)
	if e.lsn() == 0 || !e.matchesVector(s.base, slot, vec) {
		return
	}
	again := make([]byte, len(row))
	kernel.EncodeCode(s.lay.metric, s.vecs.Load().Float32s(slot, s.lay.dim), again)
	if !e.matchesCodes(again) {
		// The entry's checksum of the codes is what is damaged; the vector,
		// and so what is made from it, is right.
		s.log.Warn("checksum of codes is damaged", slog.Uint64("slot", uint64(slot)))
	}
	copy(row, again)
	s.log.Warn("codes made anew from the vector", slog.Uint64("slot", uint64(slot)),
		slog.String("file", c.files[codes].name), slog.Int64("offset", s.lay.offset(codes, slot)))
}

// Vector appends the vector in a slot to dst, bit by bit as it was written,
// after Check.
func (s *Store) Vector(slot uint32, dst []float32) ([]float32, error) {
	err := guard(func() error {
		if !s.checked.Has(slot) {
			if err := s.checkSlot(slot); err != nil {
				return err
			}
		}
		dst = append(dst, s.vecs.Load().Float32s(slot, s.lay.dim)...)
		return nil
	})
	return dst, err
}
