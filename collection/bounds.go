package collection

import (
	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/filter"
)

// bounds fills m.set with live slots that match for certain, and m.may with those
// that may. The publication lock is held, so the two are of one instant.
//
//	condition on an indexed field    must = may, but for strings too long to be kept
//	        on another field         nothing must, everything may
//	and, or                          by and, or of both
//	not                              must = live \ may, may = live \ must
func (c *Collection) bounds(m *matcher, p *filter.Program) {
	m.live = c.live.Words(m.live)
	m.used = 0
	b := c.boundsOf(m, p.Tree())
	m.set, m.may = b.must, b.may
	m.set.And(m.live)
	m.may.And(m.live)
}

// bound is what indexes say about a condition.
type bound struct {
	must, may bitmap.Words
}

func (c *Collection) boundsOf(m *matcher, n *filter.Node) bound {
	switch n.Op {
	case filter.AndOp:
		b := bound{m.full(), m.full()}
		for i, k := range n.Kids {
			used := m.used
			ns := inRange(n.Kids, i)
			if len(ns) == 0 {
				continue // was looked up with an earlier one
			}
			x := c.boundsOfAll(m, k, ns)
			b.must.And(x.must)
			b.may.And(x.may)
			m.used = used
		}
		return b
	case filter.OrOp:
		b := bound{m.empty(), m.empty()}
		for _, k := range n.Kids {
			if k.Field != "" {
				c.lookUp(m, k, b)
				continue
			}
			used := m.used
			x := c.boundsOf(m, k)
			b.must.Or(x.must)
			b.may.Or(x.may)
			m.used = used
		}
		b.may.Or(b.must)
		return b
	case filter.NotOp:
		b := bound{m.full(), m.full()}
		x := c.boundsOf(m, n.Kids[0])
		b.must.AndNot(x.may)
		b.may.AndNot(x.must)
		return b
	}
	return c.boundsOfAll(m, n, nil)
}

// boundsOfAll is boundsOf for a condition, or for several on its field that must all
// hold.
func (c *Collection) boundsOfAll(m *matcher, n *filter.Node, ns []*filter.Node) bound {
	if n.Field == "" {
		return c.boundsOf(m, n)
	}
	b := bound{m.empty(), m.empty()}
	if index := c.fields.find(n.Field); len(ns) > 1 && index != nil {
		index.Range(ns, b.must, b.may, &m.lookup)
	} else {
		c.lookUp(m, n, b)
	}
	b.may.Or(b.must)
	return b
}

// lookUp adds to b what the index of a condition's field says, without one that
// everything may fulfil it.
func (c *Collection) lookUp(m *matcher, n *filter.Node, b bound) {
	if index := c.fields.find(n.Field); index != nil {
		index.Lookup(n, b.must, b.may, &m.lookup)
	} else {
		copy(b.may, m.live)
	}
}

// manyKids is above how many conditions none are looked up together.
const manyKids = 64

// inRange returns the conditions that are looked up with kid i: comparisons of one
// field with values of one kind are. It returns none for one that an earlier has.
func inRange(kids []*filter.Node, i int) []*filter.Node {
	if len(kids) > manyKids {
		return kids[i : i+1]
	}
	var ns []*filter.Node
	for j, k := range kids {
		switch {
		case j == i:
			ns = append(ns, k)
		case isSide(kids[i]) && isSide(k) && k.Field == kids[i].Field && k.Values[0].Kind == kids[i].Values[0].Kind:
			if j < i {
				return nil
			}
			ns = append(ns, k)
		}
	}
	return ns
}

func isSide(n *filter.Node) bool { return n.Op >= filter.LtOp && n.Op <= filter.GteOp }

// empty returns the next of the sets that bounds works with, without a slot.
func (m *matcher) empty() bitmap.Words {
	if m.used == len(m.sets) {
		m.sets = append(m.sets, nil)
	}
	w := m.sets[m.used]
	if cap(w) < len(m.live) {
		w = make(bitmap.Words, len(m.live), len(m.live)+len(m.live)/4)
		m.sets[m.used] = w
	}
	m.used++
	w = w[:len(m.live)]
	clear(w)
	return w
}

// full returns the next of them, with all live slots.
func (m *matcher) full() bitmap.Words {
	w := m.empty()
	copy(w, m.live)
	return w
}
