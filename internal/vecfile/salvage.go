package vecfile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// Salvage calls fn with those slots of live that are whole, in ascending order,
// whatever else in the folder is damaged, cut short or missing, and reports the
// others. The vector is valid during the call. Codes are not looked at: they can be
// made anew.
func Salvage(ctx context.Context, dir vfs.FS, cfg Config, live *bitmap.Set, fn func(Entry) error, report func(Finding)) error {
	s := &Store{fs: dir, cfg: cfg, log: slog.New(slog.DiscardHandler), base: codec.CRC(cfg.UUID[:])}
	if err := s.planAround(live); err != nil {
		return err
	}
	for first, more := live.Next(0); more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		i := s.lay.chunk(first)
		end := s.lay.first(i) + uint64(s.lay.slots())
		if err := s.salvageChunk(i, live, first, end, fn, report); err != nil {
			return err
		}
		if end >= 1<<32 {
			return nil
		}
		first, more = live.Next(uint32(end))
	}
	return nil
}

// planAround sets the layout that the first whole header tells.
func (s *Store) planAround(live *bitmap.Set) error {
	lay, err := newLayout(s.cfg.Dim, s.cfg.Metric, s.cfg.ChunkSlots, 1<<62)
	if err != nil {
		return err
	}
	s.lay = lay
	entries, err := s.fs.List(".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, ok := chunkOf(e.Name); !ok || !e.Regular {
			continue
		}
		for k := range kinds {
			h, err := s.fs.Open(e.Name)
			if err != nil {
				break
			}
			have, _, err := readHeader(k, h)
			_ = h.Close() // only read
			if err == nil && have.shift <= maxShift {
				s.lay, err = newLayout(s.cfg.Dim, s.cfg.Metric, 1<<have.shift, 1<<62)
				return err
			}
		}
	}
	return nil
}

// salvageChunk reads the slots of live from first to end (excluded) of a chunk.
func (s *Store) salvageChunk(i int, live *bitmap.Set, first uint32, end uint64, fn func(Entry) error, report func(Finding)) error {
	vec, vecErr := s.fs.Open(fileName(vectors, uint32(i)))
	side, sideErr := s.fs.Open(fileName(sidecar, uint32(i)))
	if err := errors.Join(vecErr, sideErr); err != nil {
		report(Finding{fileName(vectors, uint32(i)), -1, err.Error()})
	}
	rows := [kinds][]byte{vectors: make([]byte, s.lay.stride[vectors]), sidecar: make([]byte, sideSize)}
	var failed error
	for slot, ok := first, true; ok && uint64(slot) < end && failed == nil; slot, ok = live.Next(slot + 1) {
		var problem error
		for k, f := range map[kind]vfs.File{vectors: vec, sidecar: side} {
			if f == nil {
				problem = errors.New("a file is missing")
			} else if _, err := f.ReadAt(rows[k], s.lay.offset(k, slot)); err != nil {
				problem = err
			}
		}
		e := sideRow(rows[sidecar])
		if problem == nil && (e.lsn() == 0 || !e.matchesVector(s.base, slot, rows[vectors])) {
			problem = fmt.Errorf("it does not match its checksum; it may have been point %d", e.id())
		}
		if problem != nil {
			report(Finding{fileName(vectors, uint32(i)), s.lay.offset(vectors, slot), fmt.Sprintf("slot %d is lost: %v", slot, problem)})
		} else if v, ok := vfs.Float32s(rows[vectors]); ok {
			failed = fn(Entry{Slot: slot, ID: e.id(), LSN: e.lsn(), Payload: e.payload(), Vector: v[:s.lay.dim]})
		}
		if slot == 1<<32-1 {
			break
		}
	}
	for _, f := range []vfs.File{vec, side} {
		if f != nil {
			_ = f.Close() // only read
		}
	}
	return failed
}
