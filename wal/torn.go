package wal

import (
	"fmt"
	"strings"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

const (
	// tornFiles is how many torn tails are kept; the oldest go first.
	tornFiles = 8

	// rewriteRoom is the most zeros that a rewritten segment gets behind its frames:
	// Open waits for them.
	rewriteRoom = 1 << 20
)

// keepTorn copies the bytes behind the last record to a file of their own, named
// by the first record that is missing and by their checksum.
func (r *recovery) keepTorn() error {
	if r.torn == 0 {
		return nil
	}
	s := r.tail
	sum := uint32(0)
	err := s.copy(s.seg.end, s.seg.end+r.torn, func(b []byte, _ int64) error {
		sum = codec.CRCUpdate(sum, b)
		return nil
	})
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%0*x-%08x%s", nameDigits, s.seg.last()+1, sum, tornSuffix)
	f, err := vfs.AtomicFile(r.fsys, name, func(f vfs.File) error {
		return s.copy(s.seg.end, s.seg.end+r.torn, func(b []byte, off int64) error {
			_, err := f.WriteAt(b, off-s.seg.end)
			return err
		})
	})
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return fmt.Errorf("wal: %w", err)
	}
	r.TornFile = name
	r.opts.Logger.Warn("torn end of the log cut off", "file", s.seg.name, "offset", s.seg.end, "bytes", r.torn, "kept", name)
	return r.forgetTorn()
}

// copy hands out the bytes of the segment's file in pieces.
func (s *scanner) copy(from, to int64, piece func(b []byte, off int64) error) error {
	for off := from; off < to; off += windowAhead {
		b, err := s.w.bytes(off, int(min(to-off, windowAhead)))
		if err != nil {
			return fmt.Errorf("wal %s: %w", s.seg.name, err)
		}
		if err := piece(b, off); err != nil {
			return err
		}
	}
	return nil
}

// forgetTorn removes the oldest of too many torn tails.
func (r *recovery) forgetTorn() error {
	entries, err := r.fsys.List(".")
	if err != nil {
		return fmt.Errorf("wal: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.Regular && strings.HasSuffix(e.Name, tornSuffix) && e.Name != r.TornFile {
			names = append(names, e.Name)
		}
	}
	for len(names) >= tornFiles {
		if err := r.fsys.Remove(names[0]); err != nil {
			return fmt.Errorf("wal %s: %w", names[0], err)
		}
		names = names[1:]
	}
	return nil
}

// rewrite writes the last segment anew, under its name: its whole frames, and zeros
// for some more. What an earlier process wrote and failed to fsync may be in the
// memory of the system and not on the disk; after this it is on the disk (I8).
func (r *recovery) rewrite() (vfs.File, error) {
	s := r.tail
	seg := s.seg
	room := max(firstSize, min(seg.end-headerBlock, rewriteRoom))
	size := max(seg.end, min(r.opts.SegmentSize, seg.end+room))
	size = (size + headerBlock - 1) / headerBlock * headerBlock
	h := seg.header
	f, err := writeSegment(r.fsys, seg.name, &h, func(f vfs.File) (int64, error) {
		err := s.copy(headerBlock, seg.end, func(b []byte, off int64) error {
			_, err := f.WriteAt(b, off)
			return err
		})
		r.close()
		return seg.end, err
	}, size)
	if err != nil {
		return nil, err
	}
	seg.size = size
	r.Rewritten = true
	return f, nil
}
