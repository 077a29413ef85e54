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
	path int     // the path that ends here, -1: none
	kids []*name // sorted once all are there
}

// edge leads from a name to one inside it.
type edge struct {
	from *name
	text string
}

// NewPaths returns the set of some paths; a place of one in list is its number.
func NewPaths(list []string) *Paths {
	p := &Paths{root: name{path: -1}, list: list, total: len(list)}
	known := map[edge]*name{} // by parent and text: there may be very many
	for i, path := range list {
		n := &p.root
		for part := range strings.SplitSeq(path, ".") {
			k := known[edge{n, part}]
			if k == nil {
				k = &name{text: part, path: -1}
				known[edge{n, part}] = k
				n.kids = append(n.kids, k)
			}
			n = k
		}
		n.path = i
	}
	for _, n := range known {
		slices.SortFunc(n.kids, byText)
	}
	slices.SortFunc(p.root.kids, byText)
	return p
}

func byText(a, b *name) int { return strings.Compare(a.text, b.text) }

// few is up to how many names are looked through one by one.
const few = 8

func (n *name) find(text []byte) *name {
	kids := n.kids
	for len(kids) > few {
		if mid := len(kids) / 2; kids[mid].text <= string(text) {
			kids = kids[mid:]
		} else {
			kids = kids[:mid]
		}
	}
	for _, k := range kids {
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
