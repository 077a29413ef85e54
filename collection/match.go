package collection

import (
	"context"
	"fmt"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/filter"
)

// matchBatch is how many payloads are read at a time to decide a filter.
const matchBatch = 1024

// decision is what a filter leaves, as it was at one instant.
type decision struct {
	set    bitmap.Words // live slots that match, pinned; nil: no filter, all
	before uint64       // publications before that instant
	start  uint64       // and moves
	looked uint64       // payloads that were looked at for it
}

// useful reports whether d saves a later search work: each point that has moved since
// costs a look at its payload.
func (d *decision) useful(moves *ring) bool {
	if d == nil {
		return false
	}
	moved := moves.pushed.Load() - d.start
	return moved <= d.looked && moved < uint64(len(moves.ids))
}

// decideNow decides which live slots fulfil p, as it was at one instant under the
// publication lock; the slots of s are pinned.
//
//	indexes ──> must ⊆ matching ⊆ may ──> payloads of may \ must are looked at
//
// By I5 a point that moves later is found in the ring of moves.
func (c *Collection) decideNow(ctx context.Context, s *scratch, p *filter.Program) (*decision, error) {
	m, d := &s.match, &s.decided
	*d = decision{before: c.pubs.Load(), start: c.moves.settled.Load()}
	if p == nil {
		return d, nil
	}
	c.publish.RLock()
	c.bounds(m, p)
	c.publish.RUnlock()
	m.may.AndNot(m.set)
	d.looked = uint64(m.may.Len())
	if err := c.decide(ctx, m, p); err != nil {
		return nil, err
	}
	d.set = m.set
	return d, nil
}

// decide looks at the payloads of what is in m.may and not in m.set, and adds what
// matches to m.set.
func (c *Collection) decide(ctx context.Context, m *matcher, p *filter.Program) error {
	m.may.AndNot(m.set)
	if _, any := m.may.Next(0); any {
		c.hook("match: payloads")
	}
	for from, more := uint32(0), true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		m.slots = m.slots[:0]
		for more && len(m.slots) < matchBatch {
			var slot uint32
			if slot, more = m.may.Next(from); more {
				m.slots = append(m.slots, slot)
				from = slot + 1
				more = from != 0
			}
		}
		if err := c.decideBatch(m, p); err != nil {
			return err
		}
	}
	return nil
}

func (c *Collection) decideBatch(m *matcher, p *filter.Program) error {
	return c.eachPayload(m.slots, func(slot uint32, payload []byte) error {
		ok, err := p.Match(payload, &m.Scratch)
		if err != nil {
			return fmt.Errorf("slot %d: %w", slot, err)
		}
		if ok {
			m.set.Add(slot)
		}
		return nil
	})
}

// eachPayload calls fn with the payload of each of slots, which ascend and are
// pinned or held by the writer lock; nil where there is none. The payload is valid
// during the call.
func (c *Collection) eachPayload(slots []uint32, fn func(slot uint32, payload []byte) error) error {
	split := func(slot uint32, data []byte) error {
		if data == nil {
			return fn(slot, nil)
		}
		_, payload, err := c.splitBlob(data)
		if err != nil {
			return err
		}
		return fn(slot, payload)
	}
	var stored []uint32
	for _, slot := range slots {
		data, ok := []byte(nil), true
		if c.store.HasPayload(slot) {
			data, ok = c.payloads.get(slot)
		}
		if !ok {
			stored = append(stored, slot)
			continue
		}
		if err := split(slot, data); err != nil {
			return err
		}
	}
	seen := 0
	if len(stored) > 0 {
		err := c.meta.VisitPayloads(stored, func(i int, data []byte) error {
			seen++
			return split(stored[i], data)
		})
		if err != nil {
			return err
		}
	}
	if seen != len(stored) {
		return fmt.Errorf("%s: %w: %d payloads are missing", metaName, codec.ErrCorrupt, len(stored)-seen)
	}
	return nil
}
