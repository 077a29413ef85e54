package collection

import (
	"cmp"
	"context"
	"slices"

	"github.com/tarndb/tarn/delta"
	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/filter"
	"github.com/tarndb/tarn/internal/kernel"
)

// scan fills s.near with the want nearest of live and, if it is not nil, of set, and
// with more if some beyond may show the distance of the k-th: then their ids decide.
func (c *Collection) scan(ctx context.Context, s *scratch, live *bitmap.Set, set bitmap.Words, k, want int) error {
	for {
		s.top.Reset(want)
		if err := delta.ScanSet(ctx, c.store, &s.query, live, set, &s.top); err != nil {
			return err
		}
		s.near = s.top.Results(s.near[:0])
		n := len(s.near)
		if n < want || c.apiDistance(s.near[k-1].Dist) < c.apiDistance(s.near[n-1].Dist) {
			return nil
		}
		want = max(2*want, live.Len()+1)
	}
}

// hit turns a slot that a search found into a point.
func (c *Collection) hit(n kernel.Candidate) hit {
	return hit{c.store.ID(n.Slot), n.Slot, c.apiDistance(n.Dist)}
}

// mergeNear returns the want nearest of two lists, sorted by distance and slot, in
// the memory of near. A slot on its way from delta to graph may be in both.
func mergeNear(near, more []kernel.Candidate, want int) []kernel.Candidate {
	near = append(near, more...)
	slices.SortFunc(near, func(a, b kernel.Candidate) int {
		if d := cmp.Compare(a.Dist, b.Dist); d != 0 {
			return d
		}
		return cmp.Compare(a.Slot, b.Slot)
	})
	near = slices.CompactFunc(near, func(a, b kernel.Candidate) bool { return a.Slot == b.Slot })
	return near[:min(want, len(near))]
}

// compareHits orders by distance, ties by id.
func compareHits(a, b hit) int {
	return cmp.Or(cmp.Compare(a.dist, b.dist), cmp.Compare(a.id, b.id))
}

// settle scores every id that moved since the first `start` moves at its current
// slot and under its filter, each id once, and sorts s.hits. kept is how many of the hits had not moved.
// ok is false if the ring of moves has wrapped.
func (c *Collection) settle(s *scratch, start uint64, k int, p *filter.Program) (kept int, ok bool, err error) {
	s.moved, ok = c.moves.since(start, s.moved[:0])
	if !ok {
		return 0, false, nil
	}
	slices.Sort(s.moved)
	s.moved = slices.Compact(s.moved)
	s.hits = slices.DeleteFunc(s.hits, func(h hit) bool {
		_, moved := slices.BinarySearch(s.moved, h.id)
		return moved
	})
	s.hits = c.dropOlder(s.hits)
	kept = len(s.hits)
	s.slots = s.slots[:0]
	for _, id := range s.moved {
		slot, err := c.slotOf(id)
		if err != nil {
			return 0, false, err
		}
		if slot != noSlot {
			s.slots = append(s.slots, slot)
		}
	}
	if err := c.keepMatching(s, p); err != nil {
		return 0, false, err
	}
	if err := c.score(s); err != nil {
		return 0, false, err
	}
	return kept, true, c.sortHits(s.hits, k)
}

// keepMatching leaves in s.slots those whose payload fulfils p.
func (c *Collection) keepMatching(s *scratch, p *filter.Program) error {
	if p == nil || len(s.slots) == 0 {
		return nil
	}
	slices.Sort(s.slots)
	kept := s.slots[:0]
	err := c.eachPayload(slices.Clone(s.slots), func(slot uint32, payload []byte) error {
		ok, err := p.Match(payload, &s.match.Scratch)
		if ok {
			kept = append(kept, slot)
		}
		return err
	})
	s.slots = kept
	return err
}

// score appends the slots in s.slots to the hits. They were current under the
// publication lock a moment ago, which is after the search began: that is enough.
func (c *Collection) score(s *scratch) error {
	if len(s.slots) == 0 {
		return nil
	}
	if err := c.store.Check(s.slots); err != nil {
		return err
	}
	s.dists = slices.Grow(s.dists[:0], len(s.slots))[:len(s.slots)]
	s.query.Vectors(c.store.Codes(), c.store.Vectors(), s.slots, s.dists)
	for i, slot := range s.slots {
		s.hits = append(s.hits, c.hit(kernel.Candidate{Slot: slot, Dist: s.dists[i]}))
	}
	return nil
}

// dropOlder keeps, of two hits of one id, the one that was written later: a scan
// that runs into a publication may see both.
func (c *Collection) dropOlder(hits []hit) []hit {
	slices.SortFunc(hits, func(a, b hit) int {
		if d := cmp.Compare(a.id, b.id); d != 0 {
			return d
		}
		return cmp.Compare(c.store.LSN(b.slot), c.store.LSN(a.slot))
	})
	return slices.CompactFunc(hits, func(a, b hit) bool { return a.id == b.id })
}

// frozenPass scans a copy of live that was taken under the publication lock. Its
// slots are pinned, so what it finds was the truth at that instant.
func (c *Collection) frozenPass(ctx context.Context, s *scratch, k int, o *searchOptions) ([]hit, error) {
	s.pin.hold(&c.clock)
	c.publish.RLock()
	live := c.live.Clone()
	if o.filter != nil {
		c.bounds(&s.match, o.filter)
	}
	c.publish.RUnlock()
	var set bitmap.Words
	if o.filter != nil {
		if err := c.decide(ctx, &s.match, o.filter); err != nil {
			return nil, err
		}
		set = s.match.set
	}
	if err := c.scan(ctx, s, live, set, k, min(k, live.Len())+spare); err != nil {
		return nil, err
	}
	s.hits = s.hits[:0]
	for _, n := range s.near {
		s.hits = append(s.hits, c.hit(n))
	}
	err := c.sortHits(s.hits, k)
	return s.hits[:min(k, len(s.hits))], err
}
