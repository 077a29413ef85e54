package wal

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// Salvage hands out, in order, the records after a checkpoint that are whole,
// whatever is damaged, missing or misnamed between them, and reports which are not.
// What follows the last of them and is no record is told too: it may be a write that
// a crash tore. A segment of another log is left alone.
func Salvage(ctx context.Context, fsys vfs.FS, uuid [16]byte, after uint64, fn func(Record) error, report func(Finding)) (Salvaged, error) {
	segs, _, err := listSegments(fsys)
	if err != nil {
		return Salvaged{}, err
	}
	s := &salvager{uuid: uuid, last: after, fn: fn, report: report}
	known, err := s.identify(fsys, segs)
	if err != nil {
		return s.sum, err
	}
	if len(known) == 0 {
		s.sum.NoEnd = true
		s.report(Finding{".", -1, "no segment of this log is there"})
	}
	for i, seg := range known {
		if i+1 < len(known) && known[i+1].first <= after+1 {
			continue // wholly before the checkpoint
		}
		if err := ctx.Err(); err != nil {
			return s.sum, err
		}
		s.until = math.MaxUint64
		if i+1 < len(known) {
			s.until = known[i+1].first
		}
		if err := s.segment(fsys, seg); err != nil {
			return s.sum, err
		}
	}
	s.sum.NoEnd = s.sum.NoEnd || s.endless
	return s.sum, nil
}

// Salvaged is what Salvage could not hand out.
type Salvaged struct {
	Lost  uint64 // records that are missing between those that are whole
	NoEnd bool   // what is behind the last whole record is no record, or no segment is left
}

type salvager struct {
	uuid   [16]byte
	last   uint64 // LSN of the last record handed out, or of the checkpoint
	until  uint64 // LSN at which the next segment begins: what is left of such records here was given up
	fn     func(Record) error
	report func(Finding)
	sum    Salvaged

	endless bool // a segment behind all others has no header that can be read
}

// identify returns the segments by what their headers say, or by their names where
// those are damaged, and leaves out those of other logs.
func (s *salvager) identify(fsys vfs.FS, segs []*segment) ([]*segment, error) {
	var known []*segment
	unread := uint64(0) // the newest of those without a header
	for _, seg := range segs {
		head, err := readHead(fsys, seg.name)
		if err != nil {
			unread = seg.first
			s.report(Finding{seg.name, 0, fmt.Sprintf("no record is in it: %v", err)})
			continue
		}
		common, err := codec.ParseHeader(head, magic, version)
		switch {
		case errors.Is(err, codec.ErrVersion):
			return nil, fmt.Errorf("wal %s: %w", seg.name, err)
		case err == nil && common.UUID != s.uuid:
			s.report(Finding{seg.name, 0, fmt.Sprintf("it belongs to %x, not to %x, and is left alone", common.UUID, s.uuid)})
			continue
		}
		h, err := decodeHeader(head, s.uuid)
		switch {
		case err != nil:
			s.report(Finding{seg.name, 0, err.Error()})
		case h.first != seg.first:
			s.report(Finding{seg.name, codec.HeaderSize, fmt.Sprintf("it begins with record %d, its name says %d", h.first, seg.first)})
			seg.first = h.first
		}
		// The seed of the frames' checksums stands at the end of the header: frames
		// that fit it are this segment's, whatever became of the rest of the header.
		// If it is what was damaged, the rest tells it.
		seg.seed = binary.LittleEndian.Uint32(head[headerBytes-4:])
		if computed := codec.CRC(head[:headerBytes-4]); err != nil && s.fits(fsys, seg, computed) {
			seg.seed = computed
		}
		known = append(known, seg)
	}
	slices.SortStableFunc(known, func(a, b *segment) int { return cmp.Compare(a.first, b.first) })
	s.endless = unread > 0 && (len(known) == 0 || unread > known[len(known)-1].first)
	return known, nil
}

// readHead returns the first block of a segment.
func readHead(fsys vfs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	head := make([]byte, headerBlock)
	if n, err := f.ReadAt(head, 0); n < headerBlock {
		return nil, fmt.Errorf("%d of %d bytes of its header: %w", n, headerBlock, err)
	}
	return head, nil
}

// fits reports whether the first frame of a segment has this seed.
func (s *salvager) fits(fsys vfs.FS, seg *segment, seed uint32) bool {
	f, err := fsys.Open(seg.name)
	if err != nil {
		return false
	}
	defer f.Close() // only read
	b := make([]byte, frameHead)
	if _, err := f.ReadAt(b, headerBlock); err != nil {
		return false
	}
	_, ok := decodeHead(b, seed)
	return ok
}

func (s *salvager) segment(fsys vfs.FS, seg *segment) error {
	f, err := fsys.Open(seg.name)
	if err != nil {
		s.sum.NoEnd = s.until == math.MaxUint64
		s.report(Finding{seg.name, -1, err.Error()})
		return nil
	}
	defer f.Close() // only read
	size, err := f.Size()
	if err != nil {
		s.sum.NoEnd = s.until == math.MaxUint64
		s.report(Finding{seg.name, -1, err.Error()})
		return nil
	}
	return s.frames(&window{f: f, size: size}, seg.name, seg.seed)
}

// salvagePage is how much is given up around what cannot be read.
const salvagePage = 4096

// read returns n bytes from off: if more than they cannot be read together, they alone.
func (s *salvager) read(w *window, off int64, n int) ([]byte, error) {
	b, err := w.bytes(off, n)
	if err == nil {
		return b, nil
	}
	end := (off + int64(n) + salvagePage - 1) / salvagePage * salvagePage
	return w.exactly(off, n, int(min(end, w.size)-off))
}

// frames looks for a frame at every place where one may begin.
func (s *salvager) frames(w *window, name string, seed uint32) error {
	bad := int64(-1) // where what is no frame begins
	told := func(until int64, what string) {
		if bad >= 0 {
			s.report(Finding{name, bad, fmt.Sprintf("%d bytes are no whole record%s", until-bad, what)})
			bad = -1
		}
	}
	for off := int64(headerBlock); off+frameHead <= w.size; {
		b, err := s.read(w, off, frameHead)
		if err != nil {
			s.report(Finding{name, off, err.Error()})
			if bad < 0 {
				bad = off
			}
			off = (off/salvagePage + 1) * salvagePage
			continue
		}
		f, ok := decodeHead(b, seed)
		blank := allZero(b[:frameAlign])
		var p []byte
		if size := frameSize(f.length); ok && size <= w.size-off {
			if b, err = s.read(w, off, int(size)); err == nil {
				p, err = f.payload(b, seed)
			}
			ok = err == nil
		}
		if !ok || p == nil && f.length > 0 {
			if bad < 0 && !blank {
				bad = off
			}
			off += frameAlign
			continue
		}
		told(off, "")
		if f.lsn > s.last && f.lsn < s.until {
			if f.lsn > s.last+1 {
				s.sum.Lost += f.lsn - s.last - 1
				s.report(Finding{name, off, fmt.Sprintf("records %d to %d are lost", s.last+1, f.lsn-1)})
			}
			if err := s.fn(Record{LSN: f.lsn, Kind: f.kind, Payload: p}); err != nil {
				return err
			}
			s.last = f.lsn
		}
		off += frameSize(f.length)
	}
	s.sum.NoEnd = s.until == math.MaxUint64 && bad >= 0
	told(w.size, ", behind the last one")
	return nil
}
