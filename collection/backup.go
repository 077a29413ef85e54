package collection

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/watch"
)

// BlockWriter takes what Backup writes.
type BlockWriter interface {
	Write(kind uint8, data []byte) error
}

// Backup writes all that the collection holds at one moment, while writes and
// searches go on. The moment is after everything that was acknowledged before the
// call.
//
//	pin ──> graph file ──> moment: live, LSN, positions ──> rows by slot ──> done
//
// The graph is written first: it may lead over any slot of the moment, and over
// none that comes later. From the beginning to the end no dead slot is written
// again, so the rows stand still though nothing is locked. While out writes,
// nothing waits for it, not even Close, after which Backup returns ErrClosed.
func Backup(ctx context.Context, c *Collection, out BlockWriter) error {
	b := &backup{c: c, out: out}
	b.pin.at.Store(1) // as old as can be: also what the old graph of a rebuild leads over stays
	c.pins.register(&b.pin)
	defer c.pins.unregister(&b.pin)
	return c.wrap(b.run(ctx))
}

type backup struct {
	c   *Collection
	out BlockWriter
	pin pin

	view      *view
	moment    archived
	positions map[string]uint64
	live      *bitmap.Set
	rows      *bitmap.Set // live, and what the graph leads over
	left      *bitmap.Set // what the graph, as written, is not known to find

	// The last payloads that were read from meta.db, ascending by slot, and the LSN of
	// the checkpoint that it had then: a later one may give a slot another.
	slots  []uint32
	values [][]byte
	readAt uint64
}

func (b *backup) run(ctx context.Context) error {
	// A reclaim that has not seen the pin is over when the writer lock was had.
	if err := b.inside(func() error {
		if err := b.c.lockWriter(ctx, b.c.gate.closing()); err != nil {
			return err
		}
		b.view = b.c.view.Load()
		b.c.unlockWriter()
		return nil
	}); err != nil {
		return err
	}
	if err := b.writeConfig(); err != nil {
		return err
	}
	if err := b.writeGraph(ctx); err != nil {
		return err
	}
	if err := b.inside(func() error { return b.take(ctx) }); err != nil {
		return err
	}
	if err := b.out.Write(blockMoment, b.moment.encode()); err != nil {
		return err
	}
	if err := b.writePositions(); err != nil {
		return err
	}
	if err := b.writeRows(ctx); err != nil {
		return err
	}
	return b.out.Write(blockDone, nil)
}

// inside runs fn as a call that Close waits for.
func (b *backup) inside(fn func() error) error {
	if err := b.c.gate.enter(); err != nil {
		return err
	}
	defer b.c.gate.leave()
	if err := b.c.failed(); err != nil {
		return err
	}
	return guard(fn)
}

// writeConfig writes the configuration. One that changes later is of a moment
// that this backup is not of.
func (b *backup) writeConfig() error {
	data, err := encodeConfig(b.c.Config())
	if err != nil {
		return err
	}
	block := append([]byte(nil), b.c.uuid[:]...)
	block = binary.LittleEndian.AppendUint32(block, archiveVersion)
	return b.out.Write(blockConfig, append(block, data...))
}

// writeGraph writes the file of the graph, if it has one.
func (b *backup) writeGraph(ctx context.Context) error {
	g, ok := b.view.graph.(saver)
	if !ok || b.view.graph.Len() == 0 {
		return ctx.Err()
	}
	r, w := io.Pipe()
	leave := func(err error) { _ = r.CloseWithError(err) } // always nil
	var failed error
	done := make(chan struct{})
	go func() {
		defer close(done)
		failed = b.saveGraph(g, w)
	}()
	go func() {
		select {
		case <-b.c.gate.closing():
			leave(ErrClosed)
		case <-ctx.Done():
			leave(ctx.Err())
		case <-done:
		}
	}()
	err := b.copyGraph(r)
	leave(err)
	<-done
	if err == nil {
		err = failed
	}
	return err
}

func (b *backup) saveGraph(g saver, w *io.PipeWriter) error {
	err := b.inside(func() error {
		since := b.view.missed.since()
		before := b.view.unfound(since)
		buf := bufio.NewWriterSize(w, backupBlock)
		s, err := g.Save(buf, b.c.uuid)
		if err == nil {
			err = buf.Flush()
		}
		b.moment.graphBytes, b.moment.graphCRC = uint64(s.Bytes), s.CRC
		b.left = union(before, b.view.unfound(since))
		return err
	})
	_ = w.CloseWithError(err) // always nil
	return err
}

// backupBlock is about how large blocks are.
const backupBlock = 1 << 20

// copyGraph returns what out fails with; why the graph ends is for who saves it to
// say.
func (b *backup) copyGraph(r io.Reader) error {
	block := make([]byte, backupBlock)
	for {
		n, ended := io.ReadFull(r, block)
		if n > 0 {
			if err := b.out.Write(blockGraph, block[:n]); err != nil {
				return err
			}
		}
		if ended != nil {
			return nil
		}
	}
}

// take takes the moment: under the writer lock, so that it is one.
func (b *backup) take(ctx context.Context) error {
	c := b.c
	if err := c.lockWriter(ctx, c.gate.closing()); err != nil {
		return err
	}
	b.live = c.live.Clone()
	b.moment.lsn = c.applied.Load()
	b.moment.slots = c.slots.next
	b.moment.nextKey = c.keys.next
	b.positions = maps.Clone(c.logged)
	b.rows = b.live
	if b.moment.graphBytes > 0 {
		b.rows = union(b.live, b.view.graph.InGraph())
	}
	c.unlockWriter()
	b.moment.rows, b.moment.live = uint32(b.rows.Len()), uint32(b.live.Len())
	b.moment.positions = uint64(len(b.positions))
	c.hook("backup: moment")
	if c.opts.ReadOnly {
		return nil
	}
	return c.syncLog(b.moment.lsn) // a backup never has what its store may lose
}

func union(a, b *bitmap.Set) *bitmap.Set {
	u := a.Clone()
	for i := range b.Pieces() * bitmap.PieceWords {
		if w := b.Word(i); w != 0 {
			u.SetWord(i, u.Word(i)|w)
		}
	}
	return u
}

func (b *backup) writePositions() error {
	var block []byte
	for _, source := range slices.Sorted(maps.Keys(b.positions)) {
		block = binary.LittleEndian.AppendUint16(block, uint16(len(source)))
		block = append(block, source...)
		block = binary.LittleEndian.AppendUint64(block, b.positions[source])
		if len(block) >= backupBlock {
			if err := b.out.Write(blockPositions, block); err != nil {
				return err
			}
			block = block[:0]
		}
	}
	if len(block) == 0 {
		return nil
	}
	return b.out.Write(blockPositions, block)
}

// writeRows reads a block ahead while the one before is written.
func (b *backup) writeRows(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	full, free := make(chan []byte), make(chan []byte, 2)
	free <- nil
	free <- nil
	var failed error
	rows := int64(0)
	go func() {
		defer close(full)
		failed = b.readRows(ctx, full, free)
	}()
	var err error
	for block := range full {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = b.out.Write(blockRows, block)
		}
		if err == nil {
			rows += int64(binary.LittleEndian.Uint64(block))
			watch.Tell(ctx, "writing points", rows, int64(b.moment.rows))
		}
		if err != nil {
			cancel()
		}
		free <- block
	}
	if err != nil {
		return err
	}
	return failed
}

// readRows makes blocks of rows in memory that free gives back.
func (b *backup) readRows(ctx context.Context, full chan<- []byte, free <-chan []byte) error {
	next, more := b.rows.Next(0)
	for more {
		if err := ctx.Err(); err != nil {
			return err
		}
		block := <-free
		err := b.inside(func() (err error) {
			block, next, more, err = b.block(block[:0], next)
			return err
		})
		if err != nil {
			return err
		}
		select {
		case full <- block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// block makes a block of the rows from slot first on, and returns the slot of the
// next one.
func (b *backup) block(block []byte, first uint32) (_ []byte, next uint32, more bool, err error) {
	dim := b.c.config.Dim
	rows, next, more, err := b.nextRows(first, max(1, backupBlock/(rowHead+4*dim)))
	if err != nil {
		return block, 0, false, err
	}
	n := len(rows)
	block = slices.Grow(block, rowsHead+n*(rowHead+4*dim))[:rowsHead+n*(rowHead+4*dim)]
	binary.LittleEndian.PutUint64(block, uint64(n))
	vectors, err := rowsVectors(block, n, dim)
	if err != nil {
		return block, 0, false, err
	}
	for i := range rows {
		putRowHead(block, i, &rows[i])
		if err := b.copyVector(&rows[i], vectors[i*dim:][:0:dim]); err != nil {
			return block, 0, false, err
		}
	}
	for i := range rows {
		block = append(block, rows[i].payload...)
	}
	return block, next, more, nil
}

// copyVector fills in a vector. Of a dead row nothing is promised: one that is
// damaged is left empty, and costs the graph a way, not an answer.
func (b *backup) copyVector(r *archiveRow, into []float32) error {
	_, err := b.c.store.Vector(r.slot, into)
	if err != nil && !r.live {
		clear(into[:cap(into)])
		return nil
	}
	return err
}

// nextRows returns up to most rows from slot first on, fewer if their payloads
// are large.
func (b *backup) nextRows(first uint32, most int) (rows []archiveRow, next uint32, more bool, err error) {
	size := 0
	for next, more = first, true; more && len(rows) < most && size < backupBlock; next, more = b.rows.Next(next + 1) {
		r := archiveRow{id: b.c.store.ID(next), lsn: b.c.store.LSN(next), slot: next, live: b.live.Has(next)}
		r.left = r.live && b.left.Has(next)
		if r.live && b.c.store.HasPayload(next) {
			if r.payload, err = b.payload(next); err != nil {
				return nil, 0, false, err
			}
			size += len(r.payload)
		}
		rows = append(rows, r)
	}
	return rows, next, more, nil
}

// payload returns the payload of a slot that has one: from memory if it is newer
// than the checkpoint, else from meta.db, which is read ahead.
func (b *backup) payload(slot uint32) ([]byte, error) {
	if data, ok := b.c.payloads.get(slot); ok {
		return data, nil
	}
	at := b.c.check.lsn.Load() // what is in memory no more is in the checkpoint of then
	if n := len(b.slots); n == 0 || at != b.readAt || slot < b.slots[0] || slot > b.slots[n-1] {
		var err error
		if b.slots, b.values, err = b.c.meta.PayloadsFrom(slot); err != nil {
			return nil, err
		}
		b.readAt = at
	}
	i, ok := slices.BinarySearch(b.slots, slot)
	if !ok {
		return nil, fmt.Errorf("%w: the payload of slot %d is missing", codec.ErrCorrupt, slot)
	}
	return b.values[i], nil
}
