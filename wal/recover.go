package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"math"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// Recovery is what Open found.
type Recovery struct {
	Records    int    // handed to replay
	LastLSN    uint64 // of the last record; 0 if there was never one
	DurableLSN uint64 // highest that the checkpoint or a frame says was durable
	Segments   int    // read
	TornBytes  int64  // cut off behind the last record
	TornFile   string // where they are kept, "" if read-only
	Rewritten  bool   // the last segment was written anew
}

// recovery is an Open under way.
type recovery struct {
	fsys  vfs.FS
	opts  Options
	after uint64

	old   []*segment // wholly at or before the checkpoint
	segs  []*segment // the others
	temps []string
	tail  *scanner // of the last one
	torn  int64
	Recovery
}

// Open opens the log in a folder, reads what a checkpoint at after does not cover,
// and hands the records with LSN > after to replay, in order.
//
//	names ──> headers ──> all frames checked ──> replay ──> last segment rewritten
//	                └────────── any doubt: ErrCorrupt or ErrVersion, nothing written
//
// Bytes behind the last record that no frame proves to have been durable are a torn
// tail: they are kept in a file of their own and cut off. The last segment is
// written anew unless the checkpoint covers it and nothing is torn. An error of
// replay is returned as it is.
func Open(fsys vfs.FS, opts Options, after uint64, replay func(Record) error) (*Log, Recovery, error) {
	opts = opts.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, Recovery{}, err
	}
	r := &recovery{fsys: fsys, opts: opts, after: after}
	defer r.close()
	if err := r.check(); err != nil {
		return nil, Recovery{}, err
	}
	if err := r.replay(replay); err != nil {
		return nil, Recovery{}, err
	}
	l := r.log()
	if opts.ReadOnly {
		return l, r.Recovery, nil
	}
	if err := r.settle(l); err != nil {
		return nil, Recovery{}, err
	}
	l.ahead.start(l)
	return l, r.Recovery, nil
}

func (r *recovery) close() {
	if r.tail != nil {
		r.tail.close()
		r.tail = nil
	}
}

// check reads and judges everything that is needed, and writes nothing.
func (r *recovery) check() error {
	if err := r.choose(); err != nil {
		return err
	}
	for _, seg := range r.segs {
		s, err := openSegment(r.fsys, seg, r.opts.UUID)
		if err != nil {
			return err
		}
		s.close()
	}
	last := len(r.segs) - 1
	for i, seg := range r.segs[:last] {
		s, err := openSegment(r.fsys, seg, r.opts.UUID)
		if err == nil {
			err = s.sealed(r.segs[i+1])
			s.close()
		}
		if err != nil {
			return err
		}
	}
	s, err := openSegment(r.fsys, r.segs[last], r.opts.UUID)
	if err != nil {
		return err
	}
	r.tail = s
	return r.checkTail(s)
}

func (r *recovery) checkTail(s *scanner) (err error) {
	if err := s.frames(math.MaxInt64, func(frame, []byte) error { return nil }); err != nil {
		return err
	}
	floor := max(r.after, s.seg.first-1) // its predecessor was durable before it had a name
	if r.torn, err = s.tail(floor); err != nil {
		return err
	}
	r.LastLSN = s.seg.last()
	r.DurableLSN = max(floor, s.durable)
	r.Segments = len(r.segs)
	r.TornBytes = r.torn
	return nil
}

// choose finds the segments that reach beyond the checkpoint.
func (r *recovery) choose() error {
	all, temps, err := listSegments(r.fsys)
	if err != nil {
		return err
	}
	r.temps = temps
	from := -1
	for i, seg := range all {
		if seg.first <= r.after || seg.first == r.after+1 {
			from = i
		}
	}
	if from < 0 {
		return fmt.Errorf("wal: no segment begins at or before record %d, though the checkpoint is at %d: %w", r.after+1, r.after, codec.ErrCorrupt)
	}
	r.old, r.segs = all[:from], all[from:]
	return nil
}

// replay reads the records beyond the checkpoint once more and hands them out.
func (r *recovery) replay(fn func(Record) error) error {
	for i, seg := range r.segs {
		if seg.last() <= r.after {
			continue
		}
		if err := r.replaySegment(seg, i == len(r.segs)-1, fn); err != nil {
			return err
		}
	}
	return nil
}

func (r *recovery) replaySegment(seg *segment, isLast bool, fn func(Record) error) error {
	checked := *seg
	s := r.tail
	if !isLast {
		var err error
		if s, err = openSegment(r.fsys, seg, r.opts.UUID); err != nil {
			return err
		}
		defer s.close()
	}
	seg.end, seg.ends = headerBlock, make([]uint32, 0, len(checked.ends))
	err := s.frames(checked.end, func(f frame, p []byte) error {
		if f.lsn <= r.after {
			return nil
		}
		r.Records++
		return fn(Record{LSN: f.lsn, Kind: f.kind, Payload: p})
	})
	if err == nil && seg.end != checked.end {
		err = corrupt(seg.name, seg.end, "record %d changed while it was read", seg.last()+1)
	}
	return err
}

// log makes the Log that goes on where recovery ended.
func (r *recovery) log() *Log {
	l := &Log{fsys: r.fsys, opts: r.opts, segments: r.segs, checkpoint: r.after}
	for _, seg := range r.old {
		l.garbage = append(l.garbage, seg.name)
	}
	l.last.Store(r.LastLSN)
	l.durable.Store(r.LastLSN)
	l.measure()
	return l
}

// settle brings the folder into the state in which writing may go on.
func (r *recovery) settle(l *Log) (err error) {
	for _, name := range r.temps {
		if err := r.fsys.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("wal %s: %w", name, err)
		}
	}
	seg := r.tail.seg
	if r.after >= seg.last() && r.torn == 0 {
		l.remake = len(seg.ends) == 0
		l.active, err = r.fsys.OpenRW(seg.name)
		if err != nil {
			return fmt.Errorf("wal %s: %w", seg.name, err)
		}
		return nil
	}
	if err := r.keepTorn(); err != nil {
		return err
	}
	l.active, err = r.rewrite()
	return err
}
