package tarn_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/internal/vfs"
)

// open opens the store as the next process on the same computer does: what is there
// is one of the states, and becomes the first of those to come.
func (w *powerWorld) open() {
	w.t.Helper()
	db, err := tarn.OpenFS(w.in, tarn.WithKnobs(w.knobs))
	require.NoError(w.t, err, "world %d", w.seed)
	found, c, err := lookAt(db, powerName)
	require.NoError(w.t, err)
	w.mu.RLock()
	want := expected{slices.Clone(w.states[w.durable:]), slices.Clone(w.others)}
	w.mu.RUnlock()
	require.NoError(w.t, want.check(found, db), "world %d", w.seed)
	if c == nil {
		w.db, w.c = db, nil
		c, err = db.EnsureCollection(ctx, powerName, w.cfg)
		require.NoError(w.t, err)
	}
	w.mu.Lock()
	w.db, w.c = db, c
	w.states, w.durable = []state{*found}, 0 // after an unclean close Open has written the log anew
	if w.other, _ = db.Collection(otherName); w.other == nil {
		w.others = []*state{nil}
	} else if s, _, err := lookAt(db, otherName); err == nil {
		w.others = []*state{s}
	}
	w.mu.Unlock()
}

func (w *powerWorld) point() tarn.Point {
	p := tarn.Point{ID: w.rng.Uint64N(40), Vector: vector(w.rng, dim)}
	if w.rng.IntN(3) > 0 {
		p.Payload = tarn.Payload{"n": int64(w.rng.Uint32())}
	}
	return p
}

func (w *powerWorld) batch() []tarn.Point {
	ps := make([]tarn.Point, 1+w.rng.IntN(6))
	for i := range ps {
		ps[i] = w.point()
	}
	return ps
}

// step does one thing. Its error is one of the disk.
func (w *powerWorld) step() error {
	api := w.cfg.WriteMode == tarn.WriteAPI
	switch k := w.rng.IntN(100); {
	case k < 35:
		ps := w.batch()
		w.begin(func(s *state) {
			for _, p := range ps {
				s.points[p.ID] = sumOf(p)
			}
		})
		err := w.c.Upsert(ctx, ps...)
		w.end(err, api)
		return err
	case k < 50:
		ids := []uint64{w.rng.Uint64N(40), w.rng.Uint64N(40)}
		w.begin(func(s *state) {
			delete(s.points, ids[0])
			delete(s.points, ids[1])
		})
		_, err := w.c.Delete(ctx, ids...)
		w.end(err, api)
		return err
	case k < 60:
		return w.send()
	case k < 66:
		return w.flush(w.c.Sync(ctx))
	case k < 78:
		return w.flush(w.c.Checkpoint(ctx))
	case k < 80:
		return w.flush(w.c.Rebuild(ctx, tarn.IndexConfig{}))
	case k < 82:
		return w.flush(w.c.Compact(ctx))
	case k < 90:
		return w.second()
	case k < 93:
		return w.reopen(true)
	case k < 97:
		return w.reopen(false)
	}
	return w.power()
}

// flush notes that all is durable, unless err says that it is not known.
func (w *powerWorld) flush(err error) error {
	if err == nil {
		w.settled()
	}
	return err
}

// send writes a batch by the stream, with its place in a source.
func (w *powerWorld) send() error {
	s, err := w.c.Stream()
	if errors.Is(err, tarn.ErrNotConfigured) {
		s, err = w.c.EnableStreaming(ctx, tarn.StreamingConfig{BatchSize: 4, FlushInterval: 1})
	}
	if err != nil {
		return err
	}
	var ops []tarn.Op
	for _, p := range w.batch() {
		ops = append(ops, tarn.Op{Point: p, Delete: w.rng.IntN(4) == 0})
	}
	var place uint64
	w.begin(func(s *state) {
		for _, o := range ops {
			if delete(s.points, o.Point.ID); !o.Delete {
				s.points[o.Point.ID] = sumOf(o.Point)
			}
		}
		s.place++
		place = s.place
	})
	ticket, err := s.SendOps(ctx, ops, tarn.From("source", place))
	if err == nil {
		err = ticket.Wait(ctx)
	}
	w.end(err, true)
	return err
}

// second creates the second collection and writes to it, or drops it.
func (w *powerWorld) second() error {
	if w.other != nil {
		there := w.others[0]
		w.setOthers(there, nil)
		err := w.db.DropCollection(ctx, otherName)
		w.other = nil
		if err == nil {
			w.setOthers(nil)
		}
		return err
	}
	empty := &state{points: map[uint64]uint32{}}
	w.setOthers(nil, empty)
	c, err := w.db.CreateCollection(ctx, otherName, tarn.CollectionConfig{Dim: dim})
	if err != nil {
		return err
	}
	w.other = c
	full := empty.next()
	ps := w.batch()
	for _, p := range ps {
		full.points[p.ID] = sumOf(p)
	}
	w.setOthers(empty, &full)
	if err := c.Upsert(ctx, ps...); err != nil {
		return err
	}
	w.setOthers(&full)
	return nil
}

// reopen ends the process and starts the next one: properly, or by a kill, after
// which nothing that it does reaches the disk.
func (w *powerWorld) reopen(closed bool) error {
	if closed {
		if err := w.db.Close(); err == nil {
			w.settled()
		}
		w.in.Clear()
		w.open()
		return nil
	}
	w.in.Add(&vfs.Fault{Ops: mutations(), Err: errors.New("killed")})
	before := w.in
	_ = w.db.Close()
	before.Clear()
	w.watch()
	w.open()
	return nil
}

// power cuts the power in earnest and goes on with what is left.
func (w *powerWorld) power() error {
	w.mem = w.mem.Crash(w.rng.Uint64(), cuts[w.rng.IntN(len(cuts))])
	w.in.Add(&vfs.Fault{Ops: mutations(), Err: errors.New("no power")})
	_ = w.db.Close()
	w.watch()
	w.open()
	return nil
}

// powerRun uses stores until so many cuts were made.
func powerRun(t *testing.T, usual int, before func(w *powerWorld)) {
	n := &powerCount{stop: fromEnv("TARN_CUTS", usual), places: map[string]int{}}
	first := uint64(fromEnv("TARN_SEED", 1))
	worlds := 0
	for seed := first; n.left() && !t.Failed(); seed++ {
		worlds++
		w := newPowerWorld(t, seed, n)
		w.open()
		for range 60 {
			if t.Failed() || !n.left() {
				break
			}
			if before != nil {
				before(w)
			}
			if err := w.step(); err != nil {
				if before == nil {
					require.NoError(t, err, "world %d", seed)
				}
				if err := w.reopen(w.rng.IntN(2) == 0); err != nil {
					require.NoError(t, err)
				}
			}
		}
		w.in.Clear()
		_ = w.db.Close()
	}
	t.Logf("%d power cuts in %d stores, at %v", n.cuts, worlds, n.places)
}

func TestA04_A05_A07_A08_A09_A10_A11_A12_A13_A14_A15_APowerCutAtEveryStepOfAStore(t *testing.T) {
	powerRun(t, 400, nil)
}

func TestA06_B01_B03_B04_B05_B06_APowerCutAtEveryStepOfAStoreOnADiskThatFails(t *testing.T) {
	broken := errors.New("disk error")
	faults := []vfs.Fault{
		{Ops: []vfs.Op{vfs.OpSync, vfs.OpSyncData}, Err: broken, Lose: true},
		{Ops: []vfs.Op{vfs.OpSync, vfs.OpSyncData}, Err: broken},
		{Ops: []vfs.Op{vfs.OpSyncDir}, Err: broken},
		{Ops: []vfs.Op{vfs.OpWrite}, Err: vfs.ErrNoSpace},
		{Ops: []vfs.Op{vfs.OpWrite}, Err: broken},
		{Ops: []vfs.Op{vfs.OpWrite}, Err: broken, Short: func(n int) int { return n / 2 }},
		{Ops: []vfs.Op{vfs.OpAllocate, vfs.OpCreate}, Err: vfs.ErrNoSpace},
		{Ops: []vfs.Op{vfs.OpRename, vfs.OpRemove}, Err: broken},
	}
	powerRun(t, 400, func(w *powerWorld) {
		if w.rng.IntN(6) > 0 {
			return
		}
		f := faults[w.rng.IntN(len(faults))]
		f.Skip, f.Count = w.rng.IntN(4), 1+w.rng.IntN(2)
		w.in.Clear()
		w.in.Add(&f)
	})
}
