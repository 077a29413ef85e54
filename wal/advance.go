package wal

import (
	"errors"
	"fmt"
	"io/fs"
)

// Advance tells the log that a durable checkpoint covers all records up to and
// including checkpoint. Segments that hold nothing else are removed and the
// folder is fsynced; the active segment always stays, so that one that starts at
// or before checkpoint + 1 exists. A segment that cannot be removed is tried again
// by the next Advance.
func (l *Log) Advance(checkpoint uint64) error {
	l.removing.Lock()
	defer l.removing.Unlock()
	names, err := l.release(checkpoint)
	if err != nil || len(names) == 0 {
		return err
	}
	var left []string
	var problems error
	for _, name := range names {
		if err := l.fsys.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			left = append(left, name)
			problems = errors.Join(problems, fmt.Errorf("wal %s: %w", name, err))
		}
	}
	if err := l.fsys.SyncDir("."); err != nil {
		return l.fail(fmt.Errorf("wal: segments before %d removed: %w", checkpoint, err))
	}
	l.mu.Lock()
	l.garbage = append(l.garbage, left...)
	l.mu.Unlock()
	return problems
}

// release takes the segments that a checkpoint covers off the list and returns
// their names, oldest first.
func (l *Log) release(checkpoint uint64) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.writable(); err != nil {
		return nil, err
	}
	if durable := l.durable.Load(); checkpoint > durable {
		return nil, fmt.Errorf("wal: checkpoint at %d, but only %d is durable", checkpoint, durable)
	}
	var names []string
	if !l.remake { // else the name of the only segment that would be left may be lost (I9)
		names, l.garbage = l.garbage, nil
	}
	for len(l.segments) > 1 && l.segments[1].first <= checkpoint+1 {
		names = append(names, l.segments[0].name)
		l.segments = l.segments[1:]
	}
	l.checkpoint = max(l.checkpoint, checkpoint)
	l.measure()
	return names, nil
}

// measure counts the bytes of the records after the checkpoint.
func (l *Log) measure() {
	size := int64(0)
	for _, s := range l.segments {
		size += s.upTo(s.last()) - s.upTo(l.checkpoint)
	}
	l.size.Store(size)
}
