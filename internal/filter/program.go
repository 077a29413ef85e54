package filter

import "slices"

// Program is a Filter that is ready to be decided.
type Program struct {
	root  *Node
	steps step
	paths *Paths
}

// step is a Node with the place of its field in paths.
type step struct {
	*Node
	at   int
	kids []step
}

// Scratch is what Match works with.
type Scratch struct {
	spans  []span
	values []scalar // by path, where parsed says so
	parsed []bool
}

// Compile checks f and returns its program.
func Compile(f Filter) (*Program, error) {
	if err := Check(f); err != nil {
		return nil, err
	}
	var list []string
	p := &Program{root: f.node()}
	p.steps = p.root.step(map[string]int{}, &list)
	p.paths = NewPaths(list)
	return p, nil
}

// step numbers the fields in the order in which they come.
func (n *Node) step(place map[string]int, list *[]string) step {
	s := step{Node: n}
	if n.Field != "" {
		at, ok := place[n.Field]
		if !ok {
			at = len(*list)
			place[n.Field] = at
			*list = append(*list, n.Field)
		}
		s.at = at
	}
	for _, k := range n.Kids {
		s.kids = append(s.kids, k.step(place, list))
	}
	return s
}

// Tree returns the conditions.
func (p *Program) Tree() *Node { return p.root }

// Match reports whether a payload, as JSON, fulfils the filter. A nil payload has no
// fields.
func (p *Program) Match(payload []byte, s *Scratch) (bool, error) {
	var err error
	if s.spans, err = p.paths.spans(payload, s.spans); err != nil {
		return false, err
	}
	n := p.paths.Len()
	s.values = slices.Grow(s.values[:0], n)[:n]
	s.parsed = slices.Grow(s.parsed[:0], n)[:n]
	clear(s.parsed)
	m := match{payload, s, nil}
	ok := m.holds(&p.steps)
	return ok && m.err == nil, m.err
}

// match is one payload on its way through the tree.
type match struct {
	payload []byte
	s       *Scratch
	err     error
}

func (m *match) holds(n *step) bool {
	switch n.Op {
	case AndOp:
		for i := range n.kids {
			if !m.holds(&n.kids[i]) {
				return false
			}
		}
		return true
	case OrOp:
		for i := range n.kids {
			if m.holds(&n.kids[i]) {
				return true
			}
		}
		return false
	case NotOp:
		return !m.holds(&n.kids[0])
	}
	where := m.s.spans[n.at]
	if !where.there() {
		return false
	}
	switch n.Op {
	case ExistsOp:
		return true
	case ContainsOp:
		return m.contains(m.payload[where.from:where.to], n.Values)
	}
	return n.accepts(m.scalar(n.at, where))
}

// scalar returns the value of a field, which is decoded once.
func (m *match) scalar(at int, where span) scalar {
	if !m.s.parsed[at] {
		m.s.parsed[at] = true
		m.s.values[at] = parseScalar(m.payload[where.from:where.to])
	}
	return m.s.values[at]
}

// accepts reports whether a comparison holds for a field's value.
func (n *Node) accepts(x scalar) bool {
	if n.Op == EqOp || n.Op == InOp {
		return among(x, n.Values)
	}
	v := n.Values[0]
	if x.kind != v.Kind || !Ordered(v) {
		return false
	}
	c := x.compare(v)
	switch n.Op {
	case LtOp:
		return c < 0
	case LteOp:
		return c <= 0
	case GtOp:
		return c > 0
	}
	return c >= 0
}

// Ordered reports whether less and greater mean something for v.
func Ordered(v Value) bool { return v.Kind == Num || v.Kind == String }

// among reports whether x is one of values, which are sorted.
func among(x scalar, values []Value) bool {
	if x.kind == Other {
		return false
	}
	lo, hi := 0, len(values)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		switch c := x.compare(values[mid]); {
		case c == 0:
			return true
		case c < 0:
			hi = mid
		default:
			lo = mid + 1
		}
	}
	return false
}

func (m *match) contains(b []byte, values []Value) bool {
	if b[0] != '[' {
		return false
	}
	found := false
	if err := elements(b, func(e []byte) bool {
		found = among(parseScalar(e), values)
		return !found
	}); err != nil {
		m.err = err
	}
	return found
}
