package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/tarndb/tarn/internal/vfs"
)

const (
	// MaxRecord is the largest payload of a record.
	MaxRecord = 64 << 20

	// DefaultSegmentSize is what segments grow to when Options does not say.
	DefaultSegmentSize = 16 << 20

	minSegmentSize = headerBlock + 4096
	maxSegmentSize = 1 << 30
	firstSize      = 64 << 10  // of a log's first segment
	growth         = 4         // the next segment is that many times larger, up to SegmentSize
	pieceBytes     = 256 << 10 // what is written of a frame at a time
	writeBackFrom  = 64 << 10  // a frame of that size starts on its way to the disk before the fsync
)

var (
	// ErrTooLarge is returned for a record above MaxRecord.
	ErrTooLarge = errors.New("record too large")
	// ErrReadOnly is returned for writes to a log that was opened read-only.
	ErrReadOnly = errors.New("read-only")
)

// Options says whose log it is and how it is kept. UUID is required; zero values
// of the others are the defaults.
type Options struct {
	UUID        [16]byte     // of the collection; segments of another are refused
	SegmentSize int64        // what segments grow to, DefaultSegmentSize; a larger record gets a larger one
	ReadOnly    bool         // nothing is written, not even what Open would tidy up
	Foreground  bool         // segments are filled ahead by Append itself, for tests that count operations
	Logger      *slog.Logger // nil: none

	// Coming reports whether somebody is about to append, for whom an fsync that
	// several wait for may wait a moment; nil: nobody.
	Coming func() bool
}

func (o Options) withDefaults() Options {
	if o.SegmentSize == 0 {
		o.SegmentSize = DefaultSegmentSize
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) validate() error {
	if o.SegmentSize < minSegmentSize || o.SegmentSize > maxSegmentSize {
		return fmt.Errorf("wal: segment size %d is not in %d to %d", o.SegmentSize, minSegmentSize, maxSegmentSize)
	}
	return nil
}

// Record is one entry of the log.
type Record struct {
	LSN     uint64
	Kind    byte
	Payload []byte // valid during the call that hands it out
}

// Log is an open log. Its methods may be called from many goroutines.
type Log struct {
	fsys vfs.FS
	opts Options

	// mu is held by Append, by what replaces the active segment, and by Advance
	// while it looks at the list.
	mu         sync.Mutex
	segments   []*segment // by LSN; the last one is active
	garbage    []string   // segments that a checkpoint covers, not removed yet
	checkpoint uint64     // of the last Advance, or of Open
	first      []byte     // of the frame that is being written, all or its first piece
	next       []byte     // the piece after it
	dirty      int64      // bytes after the active segment's end that a failed write may have left
	remake     bool       // the active segment is empty and an earlier process made it (I9)
	grew       bool       // a record was appended
	closed     bool

	// syncing is held during every fsync of a segment: an error is reported once,
	// to one of them, and whoever comes next must find the log failed (I5). The
	// active file changes only under mu and syncing.
	syncing  sync.Mutex
	active   vfs.File
	together uint64 // records that the last fsync made durable; guarded by syncing

	// gate guards batch, the callers that wait for the fsync after the one under way,
	// and ended.
	gate  sync.Mutex
	batch chan struct{}
	ended chan struct{} // closed when the fsync under way has ended

	removing sync.Mutex // one Advance at a time

	last    atomic.Uint64 // LSN of the last record in the file
	durable atomic.Uint64 // highest LSN on stable storage
	size    atomic.Int64  // bytes of the records after the checkpoint
	failure atomic.Pointer[error]
	syncs   atomic.Int64 // fsyncs of the active segment

	ahead ahead
}

// Last returns the LSN of the last record, 0 if there was never one.
func (l *Log) Last() uint64 { return l.last.Load() }

// Durable returns the highest LSN that is on stable storage.
func (l *Log) Durable() uint64 { return l.durable.Load() }

// Size returns the bytes of the records that the last checkpoint does not cover.
func (l *Log) Size() int64 { return l.size.Load() }

// Failed returns why the log takes no more records, nil while it does.
func (l *Log) Failed() error {
	if p := l.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// fail makes the log refuse everything from now on: what is on the disk is not
// known. It returns the first reason.
func (l *Log) fail(err error) error {
	if !errors.Is(err, vfs.ErrFailed) {
		err = fmt.Errorf("%w: %w", vfs.ErrFailed, err)
	}
	if l.failure.CompareAndSwap(nil, &err) {
		l.opts.Logger.Error("log failed", "error", err)
	}
	return l.Failed()
}

// writable returns why a write is refused before it has begun.
func (l *Log) writable() error {
	switch {
	case l.closed:
		return fmt.Errorf("wal: %w", fs.ErrClosed)
	case l.opts.ReadOnly:
		return fmt.Errorf("wal: %w", ErrReadOnly)
	}
	return l.Failed()
}

// trim cuts the zeros off that were written ahead, which the next Open would read
// all, if this process appended anything. Nothing depends on it: frames end before.
func (l *Log) trim() {
	seg := l.segments[len(l.segments)-1]
	end := (seg.end + headerBlock - 1) / headerBlock * headerBlock
	if !l.grew || end >= seg.size || l.dirty > 0 {
		return
	}
	if err := l.active.Truncate(end); err != nil {
		l.opts.Logger.Warn("log segment keeps its length", "file", seg.name, "error", err)
	}
}

// Close makes what was appended durable and releases the log; a log that has
// failed is only released. A second Close does nothing.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	l.ahead.close(l)
	l.syncing.Lock()
	defer l.syncing.Unlock()
	var err error
	if !l.opts.ReadOnly && l.Failed() == nil {
		if err = l.syncActive(); err == nil {
			l.trim()
		}
	}
	if l.active != nil {
		err = errors.Join(err, l.active.Close())
		l.active = nil
	}
	return err
}
