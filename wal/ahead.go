package wal

import (
	"errors"
	"io/fs"
	"sync"

	"github.com/tarndb/tarn/internal/vfs"
)

const (
	// bulkBytes is how many bytes per fsync make filling ahead a loss: it saves
	// an fsync a part of its time, and costs writing everything twice.
	bulkBytes = 128 << 10

	// aheadShare is how much faster than the active segment the next one fills: it
	// is whole when the active one is half full.
	aheadShare = 2

	// aheadFrom is the share of the active segment, one in so many, that is used
	// before the next is begun.
	aheadFrom = 8
)

// ahead prepares the next segment under a temporary name: space for all of it, and
// zeros written from its beginning, as far as the writers leave time. An fsync
// over blocks that were written before is twice as quick as over new ones.
//
//	Append ──progress──> kick ──> goroutine: zeros, fsync, zeros, fsync ...
//	rotate ──take──────> the file as it is, or a new one
//
// The goroutine belongs to the Log: begun by Open, told to stop by Close, which
// waits for it. It writes in step with the writers, a small piece at a time, and
// nothing at all while they write in bulk.
type ahead struct {
	kick chan struct{} // nil: filled by Append itself
	stop chan struct{}
	done chan struct{}

	mu     sync.Mutex // held for one piece
	file   vfs.File   // nil: none yet
	size   int64
	filled int64
	want   int64 // how much of it shall be filled
	whole  int64 // its size, once it is made
	off    bool  // it failed: not again before the next segment
}

func (a *ahead) start(l *Log) {
	if l.opts.Foreground {
		return
	}
	a.kick, a.stop, a.done = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(a.done)
		for {
			select {
			case <-a.stop:
				return
			case <-a.kick:
			}
			for a.piece(l) {
				select {
				case <-a.stop:
					return
				default:
				}
			}
		}
	}()
}

// progress tells how far the active segment is. It is called for every record.
func (a *ahead) progress(l *Log, seg *segment) {
	used := seg.end - headerBlock
	if used*aheadFrom < seg.size-headerBlock || used/max(l.syncs.Load(), 1) > bulkBytes {
		return
	}
	whole := min(seg.size*growth, l.opts.SegmentSize)
	want := min(whole, used*aheadShare*max(whole/seg.size, 1))
	if a.kick == nil {
		a.mu.Lock()
		a.whole, a.want = whole, want
		a.mu.Unlock()
		for a.piece(l) {
		}
		return
	}
	if !a.mu.TryLock() {
		return // a piece is being written: the next record tells
	}
	a.whole, a.want = whole, want
	more := !a.off && (a.file == nil || a.want-a.filled >= fillChunk || a.want == a.whole && a.filled < a.want)
	a.mu.Unlock()
	if more {
		select {
		case a.kick <- struct{}{}:
		default:
		}
	}
}

// piece fills one piece and reports whether there is more to do. A failure gives
// the space back; nothing depends on the file, so an fsync of it that fails is no
// more than that.
func (a *ahead) piece(l *Log) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.off || a.filled >= a.want {
		return false
	}
	err := a.fill(l)
	if err != nil {
		l.opts.Logger.Warn("next log segment not filled ahead", "error", err)
		a.discard(l)
		a.off = true
	}
	return err == nil && a.filled < a.want
}

func (a *ahead) fill(l *Log) error {
	if a.file == nil {
		f, err := newFile(l.fsys, a.whole)
		if err != nil {
			return err
		}
		a.file, a.size = f, a.whole
	}
	n := min(a.size-a.filled, fillChunk)
	if err := writeZeros(a.file, a.filled, n); err != nil {
		return err
	}
	if err := a.file.SyncData(); err != nil {
		return err
	}
	a.filled += n
	return nil
}

// take returns the prepared file, or a new one of the size given, or of the least
// size if the disk has no space for that. The next one can be prepared then.
func (a *ahead) take(l *Log, size, least int64) (vfs.File, int64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file != nil && a.size < least {
		a.discard(l)
	}
	f, have := a.file, a.size
	a.file, a.filled, a.want, a.off = nil, 0, 0, false
	if f != nil {
		return f, have, nil
	}
	least = (least + headerBlock - 1) / headerBlock * headerBlock
	size = max(size, least)
	f, err := newFile(l.fsys, size)
	if errors.Is(err, vfs.ErrNoSpace) && size > least {
		size = least
		f, err = newFile(l.fsys, size)
	}
	return f, size, err
}

func (a *ahead) discard(l *Log) {
	if a.file != nil {
		if err := errors.Join(a.file.Close(), l.fsys.Remove(nextName)); err != nil {
			l.opts.Logger.Warn("unused log segment stays", "error", err)
		}
	}
	a.file, a.filled = nil, 0
}

// close ends the goroutine and removes the file that nobody took.
func (a *ahead) close(l *Log) {
	if a.kick != nil {
		close(a.stop)
		<-a.done
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.off = true
	a.discard(l)
}

// newFile makes the next segment's file with space for size bytes.
func newFile(fsys vfs.FS, size int64) (vfs.File, error) {
	if err := fsys.Remove(nextName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := fsys.Create(nextName)
	if err != nil {
		return nil, err
	}
	if err := f.Allocate(0, size); err != nil {
		return nil, errors.Join(err, f.Close(), fsys.Remove(nextName))
	}
	return f, nil
}
