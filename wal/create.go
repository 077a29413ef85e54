package wal

import (
	"fmt"
	"io/fs"

	"github.com/tarndb/tarn/internal/vfs"
)

// Create makes a log in a folder that has none: its first segment, which begins
// with record 1, is there whole or not at all. The folder's own name is the
// caller's to make durable.
func Create(fsys vfs.FS, opts Options) error { return CreateAt(fsys, opts, 1) }

// CreateAt is Create for a collection whose records before first are in a
// checkpoint already: a restored one.
func CreateAt(fsys vfs.FS, opts Options, first uint64) error {
	opts = opts.withDefaults()
	if err := opts.validate(); err != nil {
		return err
	}
	segs, _, err := listSegments(fsys)
	if err != nil {
		return err
	}
	if len(segs) > 0 {
		return fmt.Errorf("wal %s: %w", segs[0].name, fs.ErrExist)
	}
	h := header{uuid: opts.UUID, first: first}
	f, err := writeSegment(fsys, segmentName(h.first), &h, nil, min(firstSize, opts.SegmentSize))
	if err != nil {
		return err
	}
	return f.Close()
}

// writeSegment makes a segment with all of its blocks written: the header, whatever
// body writes behind it, and zeros up to size.
func writeSegment(fsys vfs.FS, name string, h *header, body func(vfs.File) (end int64, err error), size int64) (vfs.File, error) {
	f, err := vfs.AtomicFile(fsys, name, func(f vfs.File) error {
		if _, err := f.WriteAt(h.encode(), 0); err != nil {
			return err
		}
		end := int64(headerBlock)
		if body != nil {
			var err error
			if end, err = body(f); err != nil {
				return err
			}
		}
		return writeZeros(f, end, size-end)
	})
	if err != nil {
		return nil, fmt.Errorf("wal: %w", err)
	}
	return f, nil
}
