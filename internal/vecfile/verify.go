package vecfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/watch"
)

// Finding tells of damage: where, and what it is.
type Finding struct {
	File    string
	Offset  int64 // -1 where there is none
	Problem string
}

// verifySlots slots are read between two looks at the context.
const verifySlots = 256

// Verify reads every header and every live slot from the files, whether they were
// checked before or not, and reports what is wrong with them. It returns the
// bytes it read, and an error only if it did not come to the end. The caller
// keeps the slots of live from being reused meanwhile.
func (s *Store) Verify(ctx context.Context, live *bitmap.Set, report func(Finding)) (read int64, err error) {
	s.mu.Lock()
	chunks := append([]*chunk(nil), s.chunks...)
	s.mu.Unlock()
	for i, c := range chunks {
		for _, f := range c.files {
			read += s.verifyHeader(f, report)
		}
		for from := 0; from < s.rowsOf(i); from += verifySlots {
			if err := ctx.Err(); err != nil {
				return read, err
			}
			first := uint32(s.lay.first(i)) + uint32(from)
			watch.Tell(ctx, "checking slots", int64(first), int64(s.reserved.Load()))
			read += s.verifyRows(c, live, first, first+uint32(min(verifySlots, s.rowsOf(i)-from)), report)
		}
	}
	watch.Tell(ctx, "checking slots", int64(s.reserved.Load()), int64(s.reserved.Load()))
	if last, ok := live.Next(s.reserved.Load()); ok {
		name := fileName(sidecar, uint32(s.lay.chunk(last)))
		report(Finding{name, s.lay.offset(sidecar, last), fmt.Sprintf("live slot %d is not there", last)})
	}
	return read, nil
}

// verifyHeader checks the header of a file, as it is on disk now.
func (s *Store) verifyHeader(f *slotFile, report func(Finding)) int64 {
	if f.mapping == nil {
		return 0
	}
	h, err := s.fs.Open(f.name)
	if errors.Is(err, fs.ErrNotExist) && !s.holds(f) {
		return 0 // Shrink has removed it
	}
	if err != nil {
		report(Finding{f.name, -1, err.Error()})
		return 0
	}
	defer h.Close() // opened for reading: an error tells nothing
	// Of a file that Shrink has removed Reserve may be making another.
	if _, err := s.checkHeader(f, h); err != nil && s.holds(f) {
		report(Finding{f.name, 0, err.Error()})
	}
	return headerSize
}

// holds reports whether a file is one of the store's.
func (s *Store) holds(f *slotFile) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(f.chunk) < len(s.chunks) && s.chunks[f.chunk].files[f.kind] == f
}

// verifyRows checks the live slots from first to end (excluded) of a chunk.
func (s *Store) verifyRows(c *chunk, live *bitmap.Set, first, end uint32, report func(Finding)) (read int64) {
	row := func(k kind, slot uint32) []byte { return s.lay.row(k, c.files[k].rows, slot) }
	err := guard(func() error {
		for slot, ok := live.Next(first); ok && slot < end; slot, ok = live.Next(slot + 1) {
			e := s.sideOf(c, slot)
			if !e.matchesVector(s.base, slot, row(vectors, slot)) {
				report(Finding{c.files[vectors].name, s.lay.offset(vectors, slot),
					fmt.Sprintf("slot %d does not match its checksum in %s", slot, c.files[sidecar].name)})
			} else if !e.matchesCodes(row(codes, slot)) {
				report(Finding{c.files[codes].name, s.lay.offset(codes, slot),
					fmt.Sprintf("codes of slot %d do not match their checksum in %s; made anew from the vector in memory",
						slot, c.files[sidecar].name)})
			}
			read += int64(s.lay.stride[vectors] + s.lay.stride[codes] + s.lay.stride[sidecar])
			if slot == 1<<32-1 {
				break
			}
		}
		return nil
	})
	if errors.Is(err, codec.ErrCorrupt) {
		report(Finding{c.files[vectors].name, -1, fmt.Sprintf("slots %d to %d: %v", first, end-1, err)})
	}
	return read
}
