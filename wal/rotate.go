package wal

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/tarndb/tarn/internal/vfs"
)

// rotate replaces the active segment by a new one that takes a frame of that size.
//
//	fsync the active segment
//	take the file filled ahead, or make one ──> write its header, fsync
//	rename it to its name ──> fsync the folder ──> it is the active one
//
// Up to the rename a failure leaves the log as it was.
func (l *Log) rotate(frame int64) error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	if err := l.syncActive(); err != nil {
		return err
	}
	old := l.segments[len(l.segments)-1]
	if len(old.ends) == 0 {
		return l.replace(frame) // its successor would have its name, and say of it what holds of its predecessor
	}
	seg := &segment{header: header{uuid: l.opts.UUID, first: old.last() + 1, prevEnd: old.end}}
	if err := l.install(seg, l.nextSize(old.size*growth), frame); err != nil {
		return err
	}
	l.segments = append(l.segments, seg)
	return nil
}

// Turn begins a new segment, so that the next Advance may remove all there are before
// it. An active segment without frames stays.
func (l *Log) Turn() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.writable(); err != nil {
		return err
	}
	if l.dirty > 0 {
		if err := l.clean(); err != nil {
			return err
		}
	}
	if len(l.segments[len(l.segments)-1].ends) == 0 {
		return nil
	}
	return l.rotate(0)
}

// again makes the active segment, which is empty, once more under its name (I9).
func (l *Log) again(frame int64) error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	return l.replace(frame)
}

// replace puts a new file under the name of the active segment, which is empty.
func (l *Log) replace(frame int64) error {
	old := l.segments[len(l.segments)-1]
	seg := &segment{header: old.header}
	if err := l.install(seg, l.nextSize(old.size), frame); err != nil {
		return err
	}
	l.segments[len(l.segments)-1] = seg
	l.remake = false
	return nil
}

// nextSize is how large the next segment is made. The first of a process is small,
// for nothing of it was filled ahead.
func (l *Log) nextSize(size int64) int64 {
	if !l.grew {
		return firstSize
	}
	return max(size, firstSize)
}

// install makes seg, whose header is set, the active file.
func (l *Log) install(seg *segment, size, frame int64) error {
	f, size, err := l.ahead.take(l, min(size, l.opts.SegmentSize), headerBlock+frame)
	if err != nil {
		return err
	}
	seg.name, seg.size, seg.end = segmentName(seg.first), size, headerBlock
	if err := l.publish(f, seg); err != nil {
		return err
	}
	if err := l.active.Close(); err != nil {
		l.opts.Logger.Warn("log segment did not close", "error", err)
	}
	l.active, l.dirty = f, 0
	l.syncs.Store(0)
	return nil
}

// publish writes the header of the prepared file and gives it its name, durably.
func (l *Log) publish(f vfs.File, seg *segment) error {
	_, err := f.WriteAt(seg.encode(), 0)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = l.fsys.Rename(nextName, seg.name)
	}
	if err != nil {
		return l.unpublished(seg, errors.Join(err, f.Close()))
	}
	if err := l.fsys.SyncDir("."); err != nil {
		return l.fail(fmt.Errorf("wal %s: %w", seg.name, errors.Join(err, f.Close())))
	}
	return nil
}

// unpublished tidies up after a new segment that got no name. If it has one after
// all, the old segment must not go on beyond the end that it states.
func (l *Log) unpublished(seg *segment, cause error) error {
	if errors.Is(cause, vfs.ErrFailed) {
		return l.fail(fmt.Errorf("wal %s: %w", seg.name, cause))
	}
	if seg.first != l.segments[len(l.segments)-1].first {
		if _, err := l.fsys.Stat(seg.name); !errors.Is(err, fs.ErrNotExist) {
			return l.fail(fmt.Errorf("wal %s: %w", seg.name, errors.Join(cause, err)))
		}
	}
	if err := l.fsys.Remove(nextName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.opts.Logger.Warn("unused log segment stays", "error", err)
	}
	return fmt.Errorf("wal %s: %w", seg.name, cause)
}
