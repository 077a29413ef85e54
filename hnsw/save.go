package hnsw

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
)

// Saved names a snapshot that was written.
type Saved struct {
	Bytes int64
	CRC   uint32 // stands for every byte of it
	Slots int    // held by it
}

// Save writes a snapshot of the graph while searches and inserts go on. It holds
// what a walk reached from the entry point when Save began, but for what hangs from
// inserts under way; links to other slots are cut. No slot is given another anchor
// meanwhile, so that by G1 no link of the tree of anchors is pruned, and the rows as
// they are written hold together, each whenever it was copied.
func (g *Graph) Save(w io.Writer, uuid [16]byte) (Saved, error) {
	g.keepAnchors(1)
	defer g.keepAnchors(-1)
	slot, level, ok := g.entry.load()
	held := new(bitmap.Set)
	if ok {
		held = g.reached(slot)
		g.dropUnanchored(held)
		if !held.Has(slot) {
			slot, level = g.heldAbove(slot, held), 0
		}
	}
	h := headV1{cfg: g.cfg, held: uint32(held.Len())}
	// Before their rows are counted: one that becomes a hub between the two would have rows
	// beyond those that are written, and whoever loads the snapshot gives them out again.
	hubs, counts := g.among(held)
	if held.Len() > 0 {
		h.entry = uint64(level)<<32 | uint64(slot+1)
		h.slots = last(held) + 1
		g.levels.Lock()
		h.uppers = g.uppers
		g.levels.Unlock()
	}
	h.hubs = uint32(len(hubs))
	out := &blockWriter{w: w}
	out.write(h.append(nil, uuid))
	s := snapshot{entry: slot, held: held, children: g.childrenAmong(held, h.slots), out: out}
	for _, hub := range hubs {
		s.hubs.Add(hub)
	}
	l := h.layout()
	s.rows(l.base, g.base.view.Load(), h.slots, s.baseRow)
	s.rows(l.nodes, g.nodes.view.Load(), h.slots, s.nodeRow)
	s.rows(l.upper, g.upper.view.Load(), h.uppers, s.upperRow)
	out.pad(l.bits)
	for i := range int(h.slots+63) / 64 {
		out.write(binary.LittleEndian.AppendUint64(nil, held.Word(i)))
	}
	out.pad(l.hubs)
	for _, n := range append(counts[:], hubs...) {
		out.write(binary.LittleEndian.AppendUint32(nil, n))
	}
	out.pad(l.sums)
	crc, err := out.close()
	if err != nil {
		return Saved{}, fmt.Errorf("graph snapshot: %w", err)
	}
	return Saved{Bytes: l.end, CRC: crc, Slots: held.Len()}, nil
}

// keepAnchors counts the snapshots that are being written.
func (g *Graph) keepAnchors(snapshots int) {
	g.linking.Lock()
	g.saving += snapshots
	g.linking.Unlock()
}

// dropUnanchored takes out of a set the slots whose anchors are not in it: those of inserts
// that were under way have others below them by now, and these would hang by links that
// are pruned.
func (g *Graph) dropUnanchored(held *bitmap.Set) {
	nodes := g.nodes.view.Load()
	for before := -1; before != held.Len(); {
		before = held.Len()
		for slot := range held.All() {
			if !held.Has(atomic.LoadUint32(&nodes.row(slot)[nodeAnchor]) - 1) {
				held.Remove(slot)
			}
		}
	}
}

// heldAbove returns the nearest of a set of slots that a slot hangs from.
func (g *Graph) heldAbove(slot uint32, held *bitmap.Set) uint32 {
	nodes := g.nodes.view.Load()
	for range maxDepth {
		node := nodes.row(slot)
		if node == nil || held.Has(slot) {
			break
		}
		slot = atomic.LoadUint32(&node[nodeAnchor]) - 1
	}
	return slot
}

// childrenAmong returns how many children each of a set of slots, all below n, has in it:
// nodes count those that come meanwhile as well, and with them a slot is never closed.
func (g *Graph) childrenAmong(held *bitmap.Set, n uint32) []uint32 {
	children := make([]uint32, n)
	nodes := g.nodes.view.Load()
	for slot := range held.All() {
		node := nodes.row(slot)
		if anchor := atomic.LoadUint32(&node[nodeAnchor]) - 1; anchor != slot && atomic.LoadUint32(&node[nodeChildren]) != closed {
			children[anchor]++
		}
	}
	return children
}

// last returns the highest slot of a set that is not empty.
func last(s *bitmap.Set) (slot uint32) {
	for at := range s.All() {
		slot = at
	}
	return slot
}

// snapshot is what Save copies rows with.
type snapshot struct {
	entry    uint32
	held     *bitmap.Set
	hubs     bitmap.Set // of them
	children []uint32   // how many of them have each slot as their anchor
	out      *blockWriter
	buf      []byte
}

// rows writes rows 0 to n-1 of a table, which begin at off, words after width
// being zeros.
func (s *snapshot) rows(off int64, v *view, n uint32, word func(row uint32, i int, w uint32) uint32) {
	s.out.pad(off)
	for r := range n {
		s.buf = s.buf[:0]
		row := v.row(r)
		for i := range row {
			s.buf = binary.LittleEndian.AppendUint32(s.buf, word(r, i, atomic.LoadUint32(&row[i])))
		}
		s.buf = append(s.buf, make([]byte, (v.stride-len(row))*4)...)
		s.out.write(s.buf)
	}
}

// baseRow cuts links of and to slots that the snapshot does not hold.
func (s *snapshot) baseRow(row uint32, _ int, w uint32) uint32 {
	switch {
	case w == 0 || !s.held.Has(row):
		return 0
	case !s.held.Has(w - 1):
		return row + 1 // a hole
	}
	return w
}

// nodeRow leaves out the upper rows of a slot that has become a hub meanwhile, and
// children that have come.
func (s *snapshot) nodeRow(row uint32, i int, w uint32) uint32 {
	switch {
	case !s.held.Has(row) || i == nodeUpper && !s.hubs.Has(row):
		return 0
	case i == nodeChildren && w != closed:
		return s.children[row]
	}
	return w
}

// upperRow does not know whose row it is: a cut link becomes one to the entry
// point, which every search has seen.
func (s *snapshot) upperRow(_ uint32, _ int, w uint32) uint32 {
	if w == 0 || s.held.Has(w-1) {
		return w
	}
	return s.entry + 1
}

// blockWriter writes through blocks and keeps their checksums. Its error sticks.
type blockWriter struct {
	w    io.Writer
	off  int64
	buf  []byte
	sums []byte
	err  error
}

func (b *blockWriter) write(p []byte) {
	b.off += int64(len(p))
	for len(p) > 0 {
		n := min(len(p), blockV1-len(b.buf))
		b.buf = append(b.buf, p[:n]...)
		p = p[n:]
		if len(b.buf) == blockV1 {
			b.flush()
		}
	}
}

func (b *blockWriter) flush() {
	b.sums = binary.LittleEndian.AppendUint32(b.sums, codec.CRC(b.buf))
	if b.err == nil {
		_, b.err = b.w.Write(b.buf)
	}
	b.buf = b.buf[:0]
}

// pad writes zeros up to an offset.
func (b *blockWriter) pad(off int64) { b.write(make([]byte, off-b.off)) }

// close writes the checksums and returns theirs.
func (b *blockWriter) close() (uint32, error) {
	if len(b.buf) > 0 {
		b.flush()
	}
	crc := codec.CRC(b.sums)
	if b.err == nil {
		_, b.err = b.w.Write(binary.LittleEndian.AppendUint32(b.sums, crc))
	}
	return crc, b.err
}
