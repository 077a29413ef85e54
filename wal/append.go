package wal

import (
	"errors"
	"fmt"
	"math"

	"github.com/tarndb/tarn/internal/invariant"
	"github.com/tarndb/tarn/internal/vfs"
)

// Append writes one record, whose payload is the parts in order, and returns its
// LSN, which is one more than the last. The frame is in the file when it returns,
// and durable after Sync. An error means that nothing was appended: ErrTooLarge,
// ErrNoSpace (a later Append may succeed), an error of the write, or ErrFailed,
// after which the log takes nothing more and what became of the record is not
// known.
func (l *Log) Append(kind byte, parts ...[]byte) (lsn uint64, err error) {
	n := 0
	for _, p := range parts {
		if len(p) > MaxRecord-n {
			return 0, fmt.Errorf("wal: %w: above %d bytes", ErrTooLarge, MaxRecord)
		}
		n += len(p)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.writable(); err != nil {
		return 0, err
	}
	lsn = l.last.Load() + 1
	if err := l.room(frameSize(n)); err != nil {
		return 0, fmt.Errorf("wal: append record %d: %w", lsn, err)
	}
	seg := l.segments[len(l.segments)-1]
	size := frameSize(n)
	invariant.Check(seg.last()+1 == lsn, "record %d does not follow %d", lsn, seg.last())
	wrote, err := l.writeFrame(seg, frame{lsn: lsn, durable: l.durable.Load(), kind: kind}, parts, n)
	if err != nil {
		return 0, fmt.Errorf("wal: append record %d: %w", lsn, l.undo(size, wrote, err))
	}
	invariant.Check(wrote == size, "record %d has %d bytes, not %d", lsn, wrote, size)
	if size >= writeBackFrom {
		l.active.WriteBack(seg.end, size)
	}
	l.grew = true
	seg.end += size
	seg.ends = append(seg.ends, uint32(seg.end))
	l.size.Add(size)
	l.last.Store(lsn)
	l.ahead.progress(l, seg)
	return lsn, nil
}

// writeFrame writes a frame at the segment's end, a large one in pieces, so that they
// are in the processor's cache when the system copies them. It is a frame only when
// its last byte is there.
func (l *Log) writeFrame(seg *segment, f frame, parts [][]byte, n int) (wrote int64, err error) {
	l.buf = appendHead(l.buf[:0], seg.seed, f, parts)
	flush := func() error {
		n, err := l.active.WriteAt(l.buf, seg.end+wrote)
		wrote += int64(n)
		l.buf = l.buf[:0]
		return err
	}
	for _, p := range parts {
		for len(p) > 0 {
			k := min(len(p), pieceBytes-len(l.buf))
			l.buf = append(l.buf, p[:k]...)
			if p = p[k:]; len(l.buf) == pieceBytes {
				if err := flush(); err != nil {
					return wrote, err
				}
			}
		}
	}
	l.buf = append(l.buf, frameTail(n)...)
	return wrote, flush()
}

// room makes sure that the active segment takes a frame of that size.
func (l *Log) room(size int64) error {
	if l.dirty > 0 {
		if err := l.clean(); err != nil {
			return err
		}
	}
	seg := l.segments[len(l.segments)-1]
	if l.remake {
		return l.again(size)
	}
	if seg.end+size > seg.size || seg.end+size > math.MaxUint32 {
		return l.rotate(size)
	}
	return nil
}

// undo makes a failed write unreachable and returns the write's error, or
// ErrFailed if that cannot be done: then a later process might find the record.
// A disk without space for the undoing leaves the log usable, since a frame that
// was written in part is none (its last byte is missing).
func (l *Log) undo(size, wrote int64, cause error) error {
	l.dirty = size
	err := l.clean()
	if err == nil || errors.Is(err, vfs.ErrFailed) {
		return errors.Join(cause, err)
	}
	if errors.Is(cause, vfs.ErrNoSpace) && errors.Is(err, vfs.ErrNoSpace) && wrote < size {
		return cause
	}
	return l.fail(fmt.Errorf("a write failed and cannot be undone: %w", errors.Join(cause, err)))
}

// clean cuts the active segment back to its last whole frame: what a failed write
// left is overwritten with zeros, durably. If that fails the segment is abandoned
// for a new one, whose header says where its predecessor ended.
func (l *Log) clean() error {
	err := l.zero()
	if err == nil {
		l.dirty = 0
		return nil
	}
	if errors.Is(err, vfs.ErrFailed) {
		return l.fail(err)
	}
	if again := l.rotate(0); again != nil {
		return errors.Join(err, again)
	}
	return nil
}

func (l *Log) zero() error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	seg := l.segments[len(l.segments)-1]
	if err := writeZeros(l.active, seg.end, min(l.dirty, seg.size-seg.end)); err != nil {
		return err
	}
	return l.active.SyncData()
}
