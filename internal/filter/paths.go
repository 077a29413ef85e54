package filter

import (
	"slices"
	"strings"
)

// Paths is a set of fields that are looked up together, in one pass.
type Paths struct {
	root  name
	list  []string
	total int
}

// name is a node of the tree of names.
type name struct {
	text string
	path int // the path that ends here, -1: none
	kids []*name
}

// NewPaths returns the set of some paths; a place of one in list is its number.
func NewPaths(list []string) *Paths {
	p := &Paths{root: name{path: -1}, list: list, total: len(list)}
	for i, path := range list {
		n := &p.root
		for part := range strings.SplitSeq(path, ".") {
			n = n.kid(part)
		}
		n.path = i
	}
	return p
}

func (n *name) kid(text string) *name {
	if i := slices.IndexFunc(n.kids, func(k *name) bool { return k.text == text }); i >= 0 {
		return n.kids[i]
	}
	k := &name{text: text, path: -1}
	n.kids = append(n.kids, k)
	return k
}

func (n *name) find(text []byte) *name {
	for _, k := range n.kids {
		if k.text == string(text) {
			return k
		}
	}
	return nil
}

// Len returns the number of paths.
func (p *Paths) Len() int { return p.total }

// spans notes where the fields are in a payload. A payload of nil has none.
func (p *Paths) spans(payload []byte, into []span) ([]span, error) {
	into = slices.Grow(into[:0], p.total)[:p.total]
	clear(into)
	if payload == nil || p.total == 0 {
		return into, nil
	}
	return into, p.root.walk(payload, 0, into)
}

func (n *name) walk(b []byte, at int, into []span) error {
	var inner error
	err := members(b, at, func(text []byte, value span) bool {
		k := n.find(text)
		if k == nil {
			return true
		}
		if k.path >= 0 {
			into[k.path] = value
		}
		if len(k.kids) > 0 && b[value.from] == '{' {
			inner = k.walk(b, value.from, into)
		}
		return inner == nil
	})
	if err == nil {
		err = inner
	}
	return err
}
