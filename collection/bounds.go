package collection

import (
	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/filter"
)

// bounds fills m.set with live slots that match for certain, and m.may with all that
// may; m.may is empty if these are no others. The publication lock is held, so the
// two are of one instant.
//
//	condition on an indexed field    no others, but for strings too long to be kept
//	        on another field         nothing must, everything may
//	and, or                          by and, or of both
//	not                              must = live \ may, may = live \ must
func (c *Collection) bounds(m *matcher, p *filter.Program) {
	m.live = c.live.Words(m.live)
	m.used = 0
	b := c.boundsOf(m, p.Tree())
	m.set, m.may = b.must, b.more[:0]
	m.set.And(m.live)
	if !b.exact {
		m.may = b.more
		m.may.Or(b.must)
		m.may.And(m.live)
	}
}

// bound is what indexes say about a condition: slots that fulfil it for certain, and
// more that may. Those of must may be in more as well.
type bound struct {
	must, more bitmap.Words
	exact      bool // more is empty
}

// bound returns one that nothing fulfils.
func (m *matcher) bound() bound { return bound{m.empty(), m.empty(), true} }

// and leaves what fulfils o as well.
func (b *bound) and(o bound) {
	if b.exact && o.exact {
		b.must.And(o.must)
		return
	}
	b.exact = false
	for i, must := range b.must {
		b.more[i] = (must | b.more[i]) & (o.must[i] | o.more[i])
		b.must[i] = must & o.must[i]
	}
}

// or adds what fulfils o.
func (b *bound) or(o bound) {
	b.must.Or(o.must)
	if !o.exact {
		b.exact = false
		b.more.Or(o.more)
	}
}

// not turns it into what of live does not fulfil it.
func (b *bound) not(live bitmap.Words) {
	for i, must := range b.must {
		b.must[i] = live[i] &^ (must | b.more[i])
		if !b.exact {
			b.more[i] = live[i] &^ must
		}
	}
}

func (c *Collection) boundsOf(m *matcher, n *filter.Node) bound {
	switch n.Op {
	case filter.AndOp:
		return c.boundsOfAnd(m, n)
	case filter.OrOp:
		b := m.bound()
		for _, k := range n.Kids {
			if k.Field != "" {
				c.lookUp(m, k, &b)
				continue
			}
			used := m.used
			b.or(c.boundsOf(m, k))
			m.used = used
		}
		return b
	case filter.NotOp:
		b := c.boundsOf(m, n.Kids[0])
		b.not(m.live)
		return b
	}
	b := m.bound()
	c.lookUp(m, n, &b)
	return b
}

func (c *Collection) boundsOfAnd(m *matcher, n *filter.Node) bound {
	var b bound
	for i, k := range n.Kids {
		used := m.used
		ns := inRange(n.Kids, i)
		if len(ns) == 0 {
			continue // was looked up with an earlier one
		}
		x := c.boundsOfAll(m, k, ns)
		if b.must == nil {
			b = x
			continue
		}
		b.and(x)
		m.used = used
	}
	if b.must == nil {
		b = m.bound()
		copy(b.must, m.live)
	}
	return b
}

// boundsOfAll is boundsOf for a condition, or for several on its field that must all
// hold.
func (c *Collection) boundsOfAll(m *matcher, n *filter.Node, ns []*filter.Node) bound {
	index := c.fields.find(n.Field)
	if len(ns) < 2 || index == nil {
		return c.boundsOf(m, n)
	}
	b := m.bound()
	b.exact = index.Range(ns, b.must, b.more, &m.lookup)
	return b
}

// lookUp adds to b what the index of a condition's field says, without one that
// everything may fulfil it.
func (c *Collection) lookUp(m *matcher, n *filter.Node, b *bound) {
	if index := c.fields.find(n.Field); index == nil {
		copy(b.more, m.live)
		b.exact = false
	} else if !index.Lookup(n, b.must, b.more, &m.lookup) {
		b.exact = false
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
