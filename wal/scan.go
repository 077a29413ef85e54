package wal

import (
	"fmt"
	"math"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// scanner reads one segment.
type scanner struct {
	w       window
	seg     *segment
	durable uint64 // highest durable LSN that a frame carries
}

// openSegment reads the header of a segment and compares it with its name.
func openSegment(fsys vfs.FS, seg *segment, uuid [16]byte) (*scanner, error) {
	f, err := fsys.Open(seg.name)
	if err != nil {
		return nil, fmt.Errorf("wal %s: %w", seg.name, err)
	}
	s := &scanner{seg: seg, w: window{f: f}}
	if err := s.readHeader(uuid); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *scanner) close() { _ = s.w.f.Close() } // nothing was written

func (s *scanner) readHeader(uuid [16]byte) error {
	seg := s.seg
	size, err := s.w.f.Size()
	if err != nil {
		return fmt.Errorf("wal %s: %w", seg.name, err)
	}
	if size > math.MaxUint32 {
		return corrupt(seg.name, 0, "%d bytes are more than a segment has", size)
	}
	s.w.size, seg.size = size, size
	b, err := s.w.bytes(0, int(min(size, headerBlock)))
	if err != nil {
		return fmt.Errorf("wal %s: %w", seg.name, err)
	}
	h, err := decodeHeader(b, uuid)
	if err != nil {
		return fmt.Errorf("wal %s: offset 0: %w", seg.name, err)
	}
	if h.first != seg.first {
		return corrupt(seg.name, 0, "it begins with record %d, its name says %d", h.first, seg.first)
	}
	seg.header, seg.end, seg.ends = h, headerBlock, nil
	return nil
}

// frames hands out the segment's frames in order, up to limit or to the first
// bytes that are not the next frame. It sets the segment's end; an error is one of
// reading or of fn.
func (s *scanner) frames(limit int64, fn func(frame, []byte) error) error {
	seg := s.seg
	limit = min(limit, seg.size)
	for seg.end < limit {
		f, p, err := s.next(limit)
		if err != nil {
			return fmt.Errorf("wal %s: %w", seg.name, err)
		}
		if p == nil {
			return nil
		}
		if err := fn(f, p); err != nil {
			return err
		}
		s.durable = max(s.durable, f.durable)
		seg.end += frameSize(f.length)
		seg.ends = append(seg.ends, uint32(seg.end))
	}
	return nil
}

// next reads the frame at the segment's end; a nil payload means that there is
// none.
func (s *scanner) next(limit int64) (frame, []byte, error) {
	left := limit - s.seg.end
	if left < frameHead {
		return frame{}, nil, nil
	}
	b, err := s.w.bytes(s.seg.end, frameHead)
	if err != nil {
		return frame{}, nil, err
	}
	f, ok := decodeHead(b, s.seg.seed)
	if !ok || f.lsn != s.seg.last()+1 || frameSize(f.length) > left {
		return frame{}, nil, nil
	}
	b, err = s.w.bytes(s.seg.end, int(frameSize(f.length)))
	if err != nil {
		return frame{}, nil, err
	}
	p, err := f.payload(b, s.seg.seed)
	if err != nil {
		return frame{}, nil, nil
	}
	return f, p, nil
}

// sealed checks a segment that has a successor: it was durable up to its end before
// the successor had a name, so every frame must be there.
func (s *scanner) sealed(next *segment) error {
	seg := s.seg
	if next.prevEnd < headerBlock || next.prevEnd > seg.size {
		return corrupt(next.name, codec.HeaderSize+8, "its predecessor %s ended at %d, that has %d bytes", seg.name, next.prevEnd, seg.size)
	}
	if err := s.frames(next.prevEnd, func(frame, []byte) error { return nil }); err != nil {
		return err
	}
	if seg.end != next.prevEnd {
		return corrupt(seg.name, seg.end, "record %d is damaged or missing; the records go on to offset %d", seg.last()+1, next.prevEnd)
	}
	if seg.last()+1 != next.first {
		return corrupt(seg.name, seg.end, "it ends with record %d, %s begins with %d", seg.last(), next.name, next.first)
	}
	return nil
}

// tail looks at what follows the last whole frame of the last segment. torn is the
// number of bytes up to the last one that is not zero. It is ErrCorrupt if any
// frame says that more records than were found had been durable: then this is not
// where a crash stopped the writing, but damage.
func (s *scanner) tail(floor uint64) (torn int64, err error) {
	seg := s.seg
	found := max(s.durable, floor)
	for off := seg.end; off < seg.size; off += windowAhead {
		n := int(min(seg.size-off, windowAhead))
		b, err := s.w.bytes(off, n)
		if err != nil {
			return 0, fmt.Errorf("wal %s: %w", seg.name, err)
		}
		if n = lastNonZero(b); n > 0 {
			torn = off - seg.end + int64(n)
			at, err := s.evidence(off, n)
			if err != nil {
				return 0, fmt.Errorf("wal %s: %w", seg.name, err)
			}
			found = max(found, at)
		}
	}
	if found > seg.last() {
		return 0, corrupt(seg.name, seg.end, "record %d is damaged or missing, and record %d was durable", seg.last()+1, found)
	}
	return torn, nil
}

// evidence returns the highest durable LSN of the frame heads that begin in n bytes
// from off. A head behind the last whole frame has a higher LSN than that, and not
// higher than the space allows; one that has both and its checksum was written
// there as it is, whatever became of its payload.
func (s *scanner) evidence(off int64, n int) (durable uint64, err error) {
	seg := s.seg
	last := seg.last()
	most := last + 1 + uint64((seg.size-seg.end)/frameSize(0))
	for at := off; at < off+int64(n) && at+frameHead <= seg.size; at += frameAlign {
		b, err := s.w.bytes(at, frameHead)
		if err != nil {
			return 0, err
		}
		if f, ok := decodeHead(b, seg.seed); ok && f.lsn > last && f.lsn <= most {
			durable = max(durable, f.durable)
		}
	}
	return durable, nil
}
