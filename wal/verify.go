package wal

import (
	"context"
	"fmt"
	"slices"

	"github.com/tarndb/tarn/internal/codec"
)

// Finding tells of damage: where, and what it is.
type Finding struct {
	File    string
	Offset  int64 // -1 where there is none
	Problem string
}

// Verify reads the header and every frame of the log from the files, and hands
// each record to look; what is wrong with either is reported. It returns the bytes
// it read, and an error only if it did not come to the end. Append and Sync may run
// beside it: what they add is not looked at. Advance must not.
func (l *Log) Verify(ctx context.Context, look func(Record) error, report func(Finding)) (read int64, err error) {
	l.mu.Lock()
	segs := make([]*segment, len(l.segments))
	for i, s := range l.segments {
		copied := *s
		segs[i] = &copied
	}
	l.mu.Unlock()
	for _, seg := range segs {
		n, err := l.verifySegment(ctx, seg, look, report)
		read += n
		if err != nil {
			return read, err
		}
	}
	return read, nil
}

// verifySegment checks one segment as far as it was when Verify began.
func (l *Log) verifySegment(ctx context.Context, known *segment, look func(Record) error, report func(Finding)) (int64, error) {
	found := func(off int64, format string, args ...any) {
		report(Finding{known.name, off, fmt.Sprintf(format, args...)})
	}
	seg := *known
	s, err := openSegment(l.fsys, &seg, l.opts.UUID)
	if err != nil {
		found(0, "%v", err)
		return 0, nil
	}
	defer s.close()
	if seg.header != known.header {
		found(0, "the header is not the one that was written")
	}
	err = s.frames(known.end, func(f frame, p []byte) error {
		if err := look(Record{LSN: f.lsn, Kind: f.kind, Payload: p}); err != nil {
			found(seg.end, "%v", err)
		}
		return ctx.Err()
	})
	switch {
	case ctx.Err() != nil:
		return seg.end, ctx.Err()
	case err != nil:
		found(seg.end, "%v", err)
	case seg.end != known.end || !slices.Equal(seg.ends, known.ends):
		found(seg.end, "record %d is damaged or missing; the records go on to offset %d: %v", seg.last()+1, known.end, codec.ErrCorrupt)
	}
	return seg.end, nil
}
