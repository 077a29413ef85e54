package wal

import (
	"errors"
	"fmt"
	"math"

	"github.com/tarndb/tarn/internal/codec"
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

// writeFrame writes a frame at the segment's end. Of a large one each piece is summed and
// copied by the system while the processor's cache has it:
//
//	first ── its head needs the sum of all: second to last
//	next, next ... ── written as they are full
//	last  ── written last: it is a frame only when its last byte is there
func (l *Log) writeFrame(seg *segment, f frame, parts [][]byte, n int) (wrote int64, err error) {
	f.sum, f.length = seg.seed, n
	write := func(b []byte, off int64) error {
		n, err := l.active.WriteAt(b, off)
		wrote += int64(n)
		return err
	}
	b, from, off := append(l.first[:0], headSpace[:]...), frameHead, seg.end
	for _, p := range parts {
		for len(p) > 0 {
			if len(b) == pieceBytes {
				f.sum = codec.CRCUpdate(f.sum, b[from:])
				if off == seg.end {
					l.first, b = b, l.next
				} else if err := write(b, off); err != nil {
					return wrote, err
				}
				b, from, off = b[:0], 0, off+pieceBytes
			}
			k := min(len(p), pieceBytes-len(b))
			b, p = append(b, p[:k]...), p[k:]
		}
	}
	f.sum = codec.CRCUpdate(f.sum, b[from:])
	b = append(b, frameTail(n)...)
	if off == seg.end {
		l.first = b
		putHead(b, seg.seed, f)
		err = write(b, off)
		return wrote, err
	}
	l.next = b
	putHead(l.first, seg.seed, f)
	if err := write(l.first, seg.end); err != nil {
		return wrote, err
	}
	err = write(b, off)
	return wrote, err
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
	if err := l.Failed(); err != nil {
		return err // since Append looked: by I5 there is no fsync any more
	}
	seg := l.segments[len(l.segments)-1]
	if err := writeZeros(l.active, seg.end, min(l.dirty, seg.size-seg.end)); err != nil {
		return err
	}
	return l.active.SyncData()
}
