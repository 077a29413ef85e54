package filter

import "slices"

// Program is a Filter that is ready to be decided.
type Program struct {
	root  *Node
	paths *Paths
	place map[string]int // of a field in paths
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
	p := &Program{root: f.node(), place: map[string]int{}}
	var list []string
	p.root.fields(func(field string) {
		if _, ok := p.place[field]; !ok {
			p.place[field] = len(list)
			list = append(list, field)
		}
	})
	p.paths = NewPaths(list)
	return p, nil
}

func (n *Node) fields(fn func(field string)) {
	if n.Field != "" {
		fn(n.Field)
	}
	for _, k := range n.Kids {
		k.fields(fn)
	}
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
	m := match{p, payload, s, nil}
	ok := m.holds(p.root)
	return ok && m.err == nil, m.err
}

// match is one payload on its way through the tree.
type match struct {
	p       *Program
	payload []byte
	s       *Scratch
	err     error
}

func (m *match) holds(n *Node) bool {
	switch n.Op {
	case AndOp:
		return !slices.ContainsFunc(n.Kids, func(k *Node) bool { return !m.holds(k) })
	case OrOp:
		return slices.ContainsFunc(n.Kids, m.holds)
	case NotOp:
		return !m.holds(n.Kids[0])
	}
	at := m.p.place[n.Field]
	where := m.s.spans[at]
	if !where.there() {
		return false
	}
	switch n.Op {
	case ExistsOp:
		return true
	case ContainsOp:
		return m.contains(m.payload[where.from:where.to], n.Values)
	}
	return n.accepts(m.scalar(at, where))
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
