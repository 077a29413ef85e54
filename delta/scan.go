package delta

import (
	"context"
	"math"
	"math/bits"
	"sync/atomic"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/kernel"
)

const (
	blockSlots = 256  // slots whose codes are compared in one call
	checkEvery = 4096 // slots between two looks at the context
)

// Source is where the rows of slots are.
type Source interface {
	Codes() *kernel.Rows
	Vectors() *kernel.Rows
	Check(slots []uint32) error // before float32 rows are re-scored; an error fails the scan
}

// Scan collects the k nearest of the buffer's slots that are in live and, if it
// is not nil, in filter. A nil live means all.
func (b *Buffer) Scan(ctx context.Context, src Source, q *kernel.Query, live *bitmap.Set, filter bitmap.Words, top *Top) error {
	if top.k <= 0 {
		return ctx.Err()
	}
	v := b.view.Load()
	if len(v.chunks) == 0 {
		return ctx.Err()
	}
	last := v.chunks[len(v.chunks)-1]
	n := last.n.Load()
	s := newScan(ctx, src, q, top) // after n: the rows of what was added are in its tables
	s.live, s.filter = probeOf(live, nil), probeOf(nil, filter)
	for _, c := range v.chunks {
		end := uint32(chunkSlots)
		if c == last {
			end = n
		}
		if err := s.chunk(c.slots[:end]); err != nil {
			return err
		}
	}
	return s.finish()
}

// chunk puts the entries that are live and match into blocks.
func (s *scan) chunk(entries []atomic.Uint32) error {
	block, n, most := &s.top.slots, s.n, s.codes.Cap()
	for i := range entries {
		slot := entries[i].Load()
		if slot >= most || !s.live.has(slot) || !s.filter.has(slot) {
			continue // a gap has the largest number there is
		}
		block[n&(blockSlots-1)] = slot
		if n++; n == blockSlots {
			s.n = n
			if err := s.block(); err != nil {
				return err
			}
			n = 0
		}
	}
	s.n = n
	return nil
}

// ScanSet collects the k nearest of the slots in set and, if it is not nil, in
// filter. A slot that comes into the set meanwhile may be missed.
func ScanSet(ctx context.Context, src Source, q *kernel.Query, set *bitmap.Set, filter bitmap.Words, top *Top) error {
	if top.k <= 0 {
		return ctx.Err()
	}
	s := newScan(ctx, src, q, top)
	words := set.Pieces() * bitmap.PieceWords
	if filter != nil {
		words = min(words, len(filter))
	}
	words = min(words, int((uint64(s.codes.Cap())+63)/64))
	for i := range words {
		w := set.Word(i)
		if filter != nil && w != 0 {
			w &= filter.Word(i)
		}
		for ; w != 0; w &= w - 1 {
			if err := s.add(uint32(i)<<6 | uint32(bits.TrailingZeros64(w))); err != nil {
				return err
			}
		}
	}
	return s.finish()
}

// probe asks a bitmap about slots that are mostly neighbours, and keeps the
// word that it looked at last.
type probe struct {
	set   *bitmap.Set // nil: ask words
	words bitmap.Words
	at    uint32 // which word
	word  uint64
}

// probeOf asks set, or words, or if both are nil has every slot in.
func probeOf(set *bitmap.Set, words bitmap.Words) probe {
	return probe{set, words, math.MaxUint32, math.MaxUint64}
}

func (p *probe) has(slot uint32) bool {
	if slot>>6 != p.at {
		p.load(slot >> 6)
	}
	return p.word>>(slot&63)&1 != 0
}

// load is apart from has so that has is inlined.
//
//go:noinline
func (p *probe) load(at uint32) {
	p.at = at
	switch {
	case p.set != nil:
		p.word = p.set.Word(int(at))
	case p.words != nil:
		p.word = p.words.Word(int(at))
	}
}

// scan is one pass over slots.
type scan struct {
	ctx          context.Context
	src          Source
	q            *kernel.Query
	codes        *kernel.Rows
	top          *Top
	live, filter probe
	n            int     // slots waiting in top.slots
	since        int     // slots since the last look at the context
	limit        float32 // no slot farther than this is among the k nearest
}

func newScan(ctx context.Context, src Source, q *kernel.Query, top *Top) scan {
	s := scan{ctx: ctx, src: src, q: q, codes: src.Codes(), top: top, since: checkEvery}
	s.tighten()
	return s
}

// tighten lowers the limit to what the bounds and the distances met allow.
func (s *scan) tighten() {
	s.limit = float32(math.Inf(1))
	if len(s.top.upper) == s.top.k {
		s.limit = s.top.upper[0]
	}
	if d, ok := s.top.Full(); ok {
		s.limit = min(s.limit, d)
	}
}

// add puts a slot into the block, and compares the block when it is full.
func (s *scan) add(slot uint32) error {
	if slot >= s.codes.Cap() {
		return nil // published after the scan began
	}
	s.top.slots[s.n] = slot
	if s.n++; s.n == blockSlots {
		return s.block()
	}
	return nil
}

// block compares the codes of the slots that wait, and keeps those that may be
// among the k nearest.
func (s *scan) block() error {
	t, slots := s.top, s.top.slots[:s.n]
	if s.since += s.n; s.since >= checkEvery {
		s.since = 0
		if err := s.ctx.Err(); err != nil {
			return err
		}
	}
	s.n = 0
	s.q.Bounds(s.codes, slots, t.approx[:], t.slack[:])
	for i, slot := range slots {
		d, slack := t.approx[i], t.slack[i]
		low := d - slack
		if low > s.limit {
			continue
		}
		if math.IsNaN(float64(low)) { // both overflowed: nothing is known, and a NaN has no place in an order
			low = float32(math.Inf(-1))
		}
		t.near = append(t.near, kernel.Candidate{Slot: slot, Dist: low})
		if d+slack < s.limit {
			t.bound(d + slack)
			s.tighten()
		}
	}
	if len(t.near) >= nearLimit+8*t.k {
		return s.trim()
	}
	return nil
}

// finish compares what waits and re-scores what was kept.
func (s *scan) finish() error {
	if err := s.block(); err != nil {
		return err
	}
	return s.rescore()
}
