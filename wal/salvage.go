package wal

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// Salvage hands out, in order, the records after a checkpoint that are whole,
// whatever is damaged or missing between them, and reports which are not. What
// follows the last of them and is no record is told too: it may be a write that a
// crash tore.
func Salvage(ctx context.Context, fsys vfs.FS, uuid [16]byte, after uint64, fn func(Record) error, report func(Finding)) error {
	segs, _, err := listSegments(fsys)
	if err != nil {
		return err
	}
	s := &salvager{uuid: uuid, last: after, fn: fn, report: report}
	for i, seg := range segs {
		if i+1 < len(segs) && segs[i+1].first <= after+1 {
			continue // wholly before the checkpoint
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.segment(fsys, seg); err != nil {
			return err
		}
	}
	return nil
}

type salvager struct {
	uuid   [16]byte
	last   uint64 // LSN of the last record handed out, or of the checkpoint
	fn     func(Record) error
	report func(Finding)
}

func (s *salvager) segment(fsys vfs.FS, seg *segment) error {
	f, err := fsys.Open(seg.name)
	if err != nil {
		s.report(Finding{seg.name, -1, err.Error()})
		return nil
	}
	defer f.Close() // only read
	size, err := f.Size()
	if err != nil || size < headerBlock {
		s.report(Finding{seg.name, 0, fmt.Sprintf("it has %d bytes, no record is in it: %v", size, err)})
		return nil
	}
	w := &window{f: f, size: size}
	head, err := w.bytes(0, headerBlock)
	if err != nil {
		s.report(Finding{seg.name, 0, err.Error()})
		return nil
	}
	// The seed of the frames' checksums stands at the end of the header: frames
	// that fit it are this segment's, whatever became of the rest of the header.
	seed := binary.LittleEndian.Uint32(head[headerBytes-4:])
	if h, err := decodeHeader(head, s.uuid); err != nil {
		s.report(Finding{seg.name, 0, err.Error()})
	} else if h.first != seg.first {
		s.report(Finding{seg.name, codec.HeaderSize, fmt.Sprintf("it begins with record %d, its name says %d", h.first, seg.first)})
	}
	return s.frames(w, seg.name, seed)
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
		b, err := w.bytes(off, frameHead)
		if err != nil {
			s.report(Finding{name, off, err.Error()})
			return nil
		}
		f, ok := decodeHead(b, seed)
		var p []byte
		if size := frameSize(f.length); ok && size <= w.size-off {
			if b, err = w.bytes(off, int(size)); err == nil {
				p, err = f.payload(b, seed)
			}
			ok = err == nil
		}
		if !ok || p == nil && f.length > 0 {
			if bad < 0 && !allZero(b[:frameAlign]) {
				bad = off
			}
			off += frameAlign
			continue
		}
		told(off, "")
		if f.lsn > s.last {
			if f.lsn > s.last+1 {
				s.report(Finding{name, off, fmt.Sprintf("records %d to %d are lost", s.last+1, f.lsn-1)})
			}
			if err := s.fn(Record{LSN: f.lsn, Kind: f.kind, Payload: p}); err != nil {
				return err
			}
			s.last = f.lsn
		}
		off += frameSize(f.length)
	}
	told(w.size, ", behind the last one")
	return nil
}
