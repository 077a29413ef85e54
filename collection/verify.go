package collection

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/tarndb/tarn/hnsw"
	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/meta"
	"github.com/tarndb/tarn/internal/vecfile"
	"github.com/tarndb/tarn/internal/vfs"
	"github.com/tarndb/tarn/wal"
)

// Finding tells of damage: where in the collection's folder, and what it is.
type Finding struct {
	File    string // relative to the folder
	Offset  int64  // -1 where there is none
	Problem string
}

// Verified is what Verify has read.
type Verified struct {
	Points int
	Bytes  int64
}

// Verify reads everything that the collection has on the disk, compares it with its
// checksums and with what is in memory, and reports what does not fit. It changes
// nothing; writes and searches go on, checkpoints wait until log, tables and graph
// file are read.
func Verify(ctx context.Context, c *Collection, report func(Finding)) (Verified, error) {
	if err := c.gate.enter(); err != nil {
		return Verified{}, c.wrap(err)
	}
	defer c.gate.leave()
	v := &verifier{c: c, report: report}
	c.pins.register(&v.pin)
	defer c.pins.unregister(&v.pin)
	for _, step := range []func(context.Context) error{v.tables, v.slotFiles, v.ids, v.graph} {
		if err := step(ctx); err != nil {
			return v.read, c.wrap(err)
		}
	}
	return v.read, nil
}

// verifier is one Verify under way. What it looks at is of one moment; the pin
// keeps that moment's slots from being written again.
type verifier struct {
	c      *Collection
	report func(Finding)
	read   Verified
	pin    pin
	live   *bitmap.Set
	slots  uint32
	digest uint64
}

func (v *verifier) found(file string, off int64, format string, args ...any) {
	v.report(Finding{file, off, fmt.Sprintf(format, args...)})
}

// tables looks at meta.db, its copy, the log and the graph file. No checkpoint is
// written meanwhile, so that each payload is either in memory or in meta.db.
func (v *verifier) tables(ctx context.Context) error {
	c := v.c
	select {
	case c.check.lock <- struct{}{}:
		defer func() { <-c.check.lock }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := v.moment(ctx); err != nil {
		return err
	}
	read, withPayload, err := c.meta.Verify(ctx, func(f meta.Finding) { v.found(f.File, -1, "%s", f.Problem) })
	v.read.Bytes += read
	if err != nil {
		return err
	}
	if err := v.payloads(withPayload); err != nil {
		return err
	}
	if err := v.keys(ctx); err != nil {
		return err
	}
	read, err = c.wal.Verify(ctx, v.record, func(f wal.Finding) { v.found(path.Join(walName, f.File), f.Offset, "%s", f.Problem) })
	v.read.Bytes += read
	if err != nil {
		return err
	}
	v.snapshot()
	v.fields()
	return nil
}

// fields checks the file of the field indexes, if there is one.
func (v *verifier) fields() {
	data, err := v.c.readFile(fieldsName)
	if isNotExist(err) {
		return
	}
	if err == nil {
		_, _, _, err = parseFields(data, v.c.uuid)
	}
	v.read.Bytes += int64(len(data))
	if err != nil {
		v.found(fieldsName, -1, "%v", err)
	}
}

// moment takes the state of one LSN, and checks the sets that only memory has: no
// slot is both free and live, or free and in a graph (I6).
func (v *verifier) moment(ctx context.Context) error {
	c := v.c
	if err := c.lockWriter(ctx, c.gate.closing()); err != nil {
		return err
	}
	defer c.unlockWriter()
	v.pin.hold(&c.clock)
	v.live, v.slots, v.digest = c.live.Clone(), c.slots.next, c.digest.Load()
	v.read.Points = v.live.Len()
	in := c.view.Load().graph.InGraph()
	for _, slot := range c.slots.free {
		if v.live.Has(slot) || in.Has(slot) || c.building(slot) {
			v.found(slotName, -1, "slot %d is free, and live or in a graph", slot)
		}
	}
	if slot, ok := v.live.Next(v.slots); ok {
		v.found(slotName, -1, "slot %d is live, %d were given out", slot, v.slots)
	}
	return nil
}

// payloads checks that each slot whose entry says so has one.
func (v *verifier) payloads(stored *bitmap.Set) error {
	return v.guarded(slotName, func() error {
		for slot := range v.live.All() {
			if _, fresh := v.c.payloads.get(slot); v.c.store.HasPayload(slot) && !fresh && !stored.Has(slot) {
				v.found(metaName, -1, "the payload of slot %d is missing", slot)
			}
		}
		return nil
	})
}

// record checks what is inside a record of the log.
func (v *verifier) record(rec wal.Record) error {
	if rec.Kind != recordOps {
		return fmt.Errorf("record %d is of kind %d", rec.LSN, rec.Kind)
	}
	_, err := decodeRecord(rec.Payload, v.c.config.Dim)
	return err
}

// snapshot checks every block of the graph file that the checkpoint names, and what lies
// beside it.
func (v *verifier) snapshot() {
	file := v.c.check.named
	if file.name == "" {
		return
	}
	read, err := v.c.checkSnapshot(file)
	v.read.Bytes += read
	if err != nil {
		v.found(file.name, -1, "%v", err)
	}
	data, err := v.c.readLeft(file)
	v.read.Bytes += int64(len(data))
	if err != nil && !isNotExist(err) {
		v.found(leftName(file.name), -1, "%v", err)
	}
}

// slotFiles checks every live slot against its checksums, and all of them against
// the sum of their entries.
func (v *verifier) slotFiles(ctx context.Context) error {
	read, err := v.c.store.Verify(ctx, v.live, func(f vecfile.Finding) { v.found(path.Join(slotName, f.File), f.Offset, "%s", f.Problem) })
	v.read.Bytes += read
	if err != nil {
		return err
	}
	return v.guarded(slotName, func() error {
		sum, err := v.c.store.Digest(v.live)
		if err == nil && sum != v.digest {
			v.found(slotName, -1, "the entries of the live slots sum up to %016x, not to %016x", sum, v.digest)
		}
		return err
	})
}

// ids checks that ids and live slots are pairs, each of them in one pair only.
func (v *verifier) ids(context.Context) error {
	c := v.c
	byID := make(map[uint64]uint32, v.live.Len())
	err := v.guarded(slotName, func() error {
		return c.store.ScanIDs(v.live, 0, noSlot, func(slot uint32, id uint64) bool {
			if other, twice := byID[id]; twice {
				v.found(slotName, -1, "id %d is in slots %d and %d", id, other, slot)
			}
			byID[id] = slot
			return true
		})
	})
	if err != nil {
		return err
	}
	c.publish.RLock()
	defer c.publish.RUnlock()
	if c.ids.all == nil {
		return nil // being built from what was just looked at
	}
	if n := c.live.Len(); len(c.ids.all) != n {
		v.found(slotName, -1, "%d ids have a slot, %d slots are live", len(c.ids.all), n)
	}
	for id, slot := range byID {
		if have, ok := c.ids.all[id]; c.live.Has(slot) && (!ok || have != slot) {
			v.found(slotName, -1, "id %d is in slot %d, memory says %d", id, slot, have)
		}
	}
	return nil
}

// graph checks that each live slot is in the delta, or in the graph and reached
// from its entry point. What looks wrong beside writes is looked at again without
// them.
func (v *verifier) graph(context.Context) error {
	c := v.c
	now := c.view.Load()
	var lost, cut bitmap.Set
	for slot := range c.live.All() {
		if !now.delta.Has(slot) && !now.graph.Contains(slot) {
			lost.Add(slot)
		}
	}
	l, canLink := now.graph.(linker)
	if canLink {
		for _, slot := range l.Unreachable(&c.live) {
			cut.Add(slot)
		}
	}
	c.publish.RLock()
	defer c.publish.RUnlock()
	if c.view.Load() != now {
		return nil // a rebuild has swapped it, and looked itself
	}
	for slot := range lost.All() {
		if c.live.Has(slot) && !now.delta.Has(slot) && !now.graph.Contains(slot) {
			v.found(graphName, -1, "live slot %d is in neither graph nor delta", slot)
		}
	}
	if cut.Len() == 0 {
		return nil
	}
	for _, slot := range l.Unreachable(&cut) {
		if c.live.Has(slot) && !now.delta.Has(slot) {
			v.found(graphName, -1, "live slot %d is not reached from the entry point", slot)
		}
	}
	return nil
}

// graphName stands for the graph in memory, which has no file of its own.
const graphName = "graph"

// guarded runs fn, which reads mapped files, and makes a fault a finding.
func (v *verifier) guarded(file string, fn func() error) error {
	err := guard(fn)
	if errors.Is(err, codec.ErrCorrupt) {
		v.found(file, -1, "%v", err)
		return nil
	}
	return err
}

// checkSnapshot reads a graph file anew and compares every block with its checksum.
func (c *Collection) checkSnapshot(file snapshotFile) (read int64, err error) {
	m, err := c.mapSnapshot(file, vfs.MapRead)
	if err != nil {
		return 0, err
	}
	defer m.Close()
	err = guard(func() error { return hnsw.Check(m.Bytes(), c.uuid, file.crc) })
	return int64(len(m.Bytes())), err
}
