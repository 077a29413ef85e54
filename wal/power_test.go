package wal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/vfs"
)

// modes are the kinds of power cuts.
var modes = []vfs.Crash{
	{},
	{Keep: 1},
	{Keep: 0.01},
	{Keep: 0.1, Torn: 0.1},
	{Keep: 0.5},
	{Keep: 0.5, Ordered: true},
	{Keep: 0.5, Torn: 0.5, Garbage: 0.3},
	{Keep: 0.9, Torn: 0.2, Ordered: true},
	{Keep: 0.99, Garbage: 0.05},
}

// world is a log in use, a disk that can lose power, and what must be true of it.
type world struct {
	t    *testing.T
	rng  *rand.Rand
	mem  *vfs.Mem
	in   *vfs.Inject
	opts Options
	log  *Log

	want  [][]byte // payload by LSN-1: all that may be in the log
	acked uint64   // what must be in it
	cp    uint64   // the caller's durable checkpoint

	cuts  *int
	stop  int // cuts after which no more are made
	depth int // of recoveries that are cut themselves
}

func newWorld(t *testing.T, seed uint64, cuts *int, stop int) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 5)), mem: vfs.NewMem(), opts: small(), cuts: cuts, stop: stop}
	if seed%3 == 0 {
		w.opts.SegmentSize = 8 * headerBlock
	}
	require.NoError(t, Create(w.mem, w.opts))
	w.watch()
	w.open()
	return w
}

// watch cuts the power before every operation that matters.
func (w *world) watch() {
	w.in = vfs.NewInject(w.mem)
	w.in.Before(func(c vfs.Call) {
		if c.Op.Mutates() && *w.cuts < w.stop {
			w.cut(fmt.Sprintf("before %v of %s, record %d", c.Op, c.Name, len(w.want)))
		}
	})
}

func (w *world) cut(when string) {
	for range 3 {
		*w.cuts++
		mode := modes[w.rng.IntN(len(modes))]
		seed := w.rng.Uint64()
		state := w.mem.Crash(seed, mode)
		w.verify(state, fmt.Sprintf("%s, cut %d (%+v)", when, *w.cuts, mode))
	}
}

// verify opens what a power cut left: what was acknowledged is there, in order,
// nothing else is but what was being written, and the log can be used.
func (w *world) verify(state *vfs.Mem, when string) {
	w.t.Helper()
	var disk vfs.FS = state
	if w.depth < 2 && w.rng.IntN(20) == 0 {
		disk = w.nested(state).in
	}
	l, rec, err := Open(disk, w.opts, w.cp, w.check(when))
	require.NoError(w.t, err, when)
	require.GreaterOrEqual(w.t, rec.LastLSN, w.acked, when)
	lsn, err := l.Append(1, []byte("after"))
	require.NoError(w.t, err, when)
	require.Equal(w.t, rec.LastLSN+1, lsn)
	require.NoError(w.t, l.Sync(lsn), when)
	state = state.Crash(w.rng.Uint64(), modes[w.rng.IntN(len(modes))])
	require.NoError(w.t, l.Close(), when)

	var last Record
	l, again, err := Open(state, w.opts, w.cp, func(r Record) error {
		last = Record{LSN: r.LSN, Payload: append([]byte(nil), r.Payload...)}
		return nil
	})
	require.NoError(w.t, err, when)
	require.Equal(w.t, lsn, again.LastLSN, when)
	require.Equal(w.t, Record{LSN: lsn, Payload: []byte("after")}, last, when)
	require.NoError(w.t, l.Close())
}

// nested is a world in which the recovery is cut.
func (w *world) nested(state *vfs.Mem) *world {
	n := &world{t: w.t, rng: w.rng, mem: state, opts: w.opts, want: append(w.want[:len(w.want):len(w.want)], []byte("after")),
		acked: w.acked, cp: w.cp, cuts: w.cuts, stop: w.stop, depth: w.depth + 1}
	n.watch()
	return n
}

func (w *world) check(when string) func(Record) error {
	next := w.cp + 1
	return func(r Record) error {
		require.Equal(w.t, next, r.LSN, when)
		next++
		require.LessOrEqual(w.t, r.LSN, uint64(len(w.want)), "%s: a record that was never written, or that was refused", when)
		if want := w.want[r.LSN-1]; string(want) != string(r.Payload) && string(r.Payload) != "after" {
			require.Fail(w.t, when, "record %d is not what was written", r.LSN)
		}
		return nil
	}
}

// open opens the log as the next process on the same computer does.
func (w *world) open() {
	l, rec, err := Open(w.in, w.opts, w.cp, w.check("open"))
	require.NoError(w.t, err)
	require.GreaterOrEqual(w.t, rec.LastLSN, w.acked)
	w.log, w.acked, w.want = l, rec.LastLSN, w.want[:rec.LastLSN]
}

// kill ends the process: nothing is closed properly.
func (w *world) kill() {
	w.log.opts.Foreground = true
	require.NoError(w.t, w.log.active.Close())
	w.log = nil
}

func (w *world) step() {
	switch k := w.rng.IntN(100); {
	case k < 55:
		w.append()
	case k < 80:
		if w.log.Sync(w.log.Last()) == nil {
			w.acked = w.log.Last()
		}
	case k < 90:
		w.cp = max(w.cp, w.log.Durable()-min(w.log.Durable(), w.rng.Uint64N(3)))
		_ = w.log.Advance(w.cp)
	case k < 94:
		w.restart(true)
	case k < 97:
		w.restart(false)
	default:
		w.power()
	}
	if w.log.Failed() != nil {
		w.restart(true)
	}
}

func (w *world) restart(closed bool) {
	if !closed {
		w.kill()
	} else if w.log.Failed() == nil {
		last := w.log.Last()
		if w.log.Close() == nil {
			w.acked = last
		}
	} else {
		require.NoError(w.t, w.log.Close())
	}
	w.in.Clear()
	w.open()
}

// power cuts the power in earnest and goes on with what is left.
func (w *world) power() {
	w.kill()
	w.mem = w.mem.Crash(w.rng.Uint64(), modes[w.rng.IntN(len(modes))])
	w.watch()
	w.open()
}

func (w *world) append() {
	sizes := []int{0, 1, 7, 40, 500, 3000, 9000}
	p := make([]byte, sizes[w.rng.IntN(len(sizes))])
	if w.rng.IntN(4) > 0 {
		for i := range p {
			p[i] = byte(w.rng.Uint32())
		}
	}
	w.want = append(w.want, p)
	lsn, err := w.log.Append(byte(len(p)), p)
	switch {
	case err == nil:
		require.Equal(w.t, uint64(len(w.want)), lsn)
	case !errors.Is(err, vfs.ErrFailed):
		w.want = w.want[:len(w.want)-1] // it must never be seen again
	}
}

// powerRun uses logs until so many cuts were made.
func powerRun(t *testing.T, name string, normal int, before func(w *world)) {
	stop := count("TARN_WAL_CUTS", normal)
	cuts := 0
	for seed := uint64(1); cuts < stop; seed++ {
		w := newWorld(t, seed, &cuts, stop)
		for range 80 {
			if before != nil {
				before(w)
			}
			w.step()
		}
		w.in.Clear()
		require.NoError(t, w.log.Close())
	}
	t.Logf("%s: %d power cuts, none lost or invented a record", name, cuts)
}

func TestA05_A09_A10_A11_A14_APowerCutAtEveryStepKeepsWhatWasSynced(t *testing.T) {
	powerRun(t, "healthy disk", 4000, nil)
}

func TestA06_B01_B03_B06_APowerCutAtEveryStepOfADiskThatFails(t *testing.T) {
	faults := []vfs.Fault{
		{Ops: []vfs.Op{vfs.OpSync, vfs.OpSyncData}, Err: errDisk, Lose: true},
		{Ops: []vfs.Op{vfs.OpSync, vfs.OpSyncData}, Err: errDisk},
		{Ops: []vfs.Op{vfs.OpSyncDir}, Err: errDisk},
		{Ops: []vfs.Op{vfs.OpWrite}, Err: vfs.ErrNoSpace},
		{Ops: []vfs.Op{vfs.OpWrite}, Err: errDisk},
		{Ops: []vfs.Op{vfs.OpWrite}, Err: errDisk, Short: func(n int) int { return n }},
		{Ops: []vfs.Op{vfs.OpAllocate, vfs.OpCreate}, Err: vfs.ErrNoSpace},
		{Ops: []vfs.Op{vfs.OpRename, vfs.OpRemove}, Err: errDisk},
		{Ops: []vfs.Op{vfs.OpRename}, Err: vfs.ErrNoSpace},
	}
	powerRun(t, "failing disk", 4000, func(w *world) {
		if w.rng.IntN(6) > 0 {
			return
		}
		f := faults[w.rng.IntN(len(faults))]
		f.Skip, f.Count = w.rng.IntN(3), 1+w.rng.IntN(3)
		if f.Short == nil && w.rng.IntN(2) == 0 {
			cut := w.rng.IntN(60)
			f.Short = func(n int) int { return min(n, cut) }
		}
		w.in.Clear()
		w.in.Add(&f)
	})
}

var errDisk = errors.New("disk error")
