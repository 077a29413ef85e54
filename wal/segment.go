package wal

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

const (
	suffix     = ".wal"
	tornSuffix = ".torn"
	nextName   = "next" + vfs.TempSuffix // the segment that is being prepared

	nameDigits = 16
)

// segment is one file of the log.
type segment struct {
	header
	name string
	size int64    // of the file
	end  int64    // of its last frame
	ends []uint32 // end of frame i, which is LSN first+i
}

// last returns the LSN of the segment's last frame, first-1 if it has none.
func (s *segment) last() uint64 { return s.first + uint64(len(s.ends)) - 1 }

// upTo returns the bytes of the segment's frames up to and including lsn.
func (s *segment) upTo(lsn uint64) int64 {
	if lsn < s.first || len(s.ends) == 0 {
		return 0
	}
	i := min(lsn-s.first, uint64(len(s.ends)-1))
	return int64(s.ends[i]) - headerBlock
}

// segmentName returns the file name of the segment whose first LSN is given: the
// number in 16 hexadecimal digits, so that names sort as numbers do.
func segmentName(first uint64) string { return fmt.Sprintf("%0*x%s", nameDigits, first, suffix) }

// parseName is the reverse; ok is false for every other name.
func parseName(name string) (first uint64, ok bool) {
	digits, found := strings.CutSuffix(name, suffix)
	if !found || len(digits) != nameDigits {
		return 0, false
	}
	first, err := strconv.ParseUint(digits, 16, 64)
	if err != nil || first == 0 || segmentName(first) != name {
		return 0, false
	}
	return first, true
}

// corrupt is an error that names a file and an offset.
func corrupt(name string, off int64, format string, args ...any) error {
	return fmt.Errorf("wal %s: offset %d: %s: %w", name, off, fmt.Sprintf(format, args...), codec.ErrCorrupt)
}

// listSegments returns the segments of a folder by first LSN, and the names of
// temporary files. Whatever else is there is none of the log's business.
func listSegments(fsys vfs.FS) (segs []*segment, temps []string, err error) {
	entries, err := fsys.List(".")
	if err != nil {
		return nil, nil, fmt.Errorf("wal: %w", err)
	}
	for _, e := range entries {
		if !e.Regular {
			continue
		}
		if strings.HasSuffix(e.Name, vfs.TempSuffix) {
			temps = append(temps, e.Name)
		}
		if first, ok := parseName(e.Name); ok {
			segs = append(segs, &segment{header: header{first: first}, name: e.Name, size: e.Size})
		}
	}
	return segs, temps, nil
}
