package attr

import (
	"strings"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/filter"
)

// maxString is up to how many bytes a string is a key. Longer ones are rare, and
// looked at in the payload.
const maxString = 256

// Index is the index of one field.
type Index struct {
	there    roaring.Bitmap
	scalars  values
	elements values // of arrays
}

// values maps values to slots.
type values struct {
	words [3]roaring.Bitmap // null, false, true
	nums  dict[filter.Number]
	texts dict[string]
	long  roaring.Bitmap // slots with a string above maxString

	num, text roaring.Bitmap // slots with a number, with a string that is a key
}

// New returns an empty index.
func New() *Index {
	x := &Index{}
	for _, v := range []*values{&x.scalars, &x.elements} {
		v.nums.compare = filter.Number.Compare
		v.texts.compare = strings.Compare
	}
	return x
}

// Add notes what the payload of a slot says about the field.
func (x *Index) Add(slot uint32, f *filter.Fact) {
	if !f.There {
		return
	}
	x.there.Add(slot)
	x.scalars.add(f.Value, slot)
	for i := range f.Elements {
		x.elements.add(f.Elements[i], slot)
	}
}

func (v *values) add(val filter.Value, slot uint32) {
	switch val.Kind {
	case filter.Num:
		v.nums.add(val.Num, slot)
		v.num.Add(slot)
	case filter.String:
		if len(val.Str) > maxString {
			v.long.Add(slot)
			return
		}
		v.texts.add(val.Str, slot)
		v.text.Add(slot)
	case filter.Null, filter.Bool:
		v.words[wordOf(val)].Add(slot)
	}
}

// wordOf returns the place of null, false or true.
func wordOf(val filter.Value) int {
	switch {
	case val.Kind == filter.Null:
		return 0
	case !val.Bool:
		return 1
	}
	return 2
}

// Removal takes slots out of an index, in pieces.
type Removal struct {
	gone bitmap.Words
	set  *roaring.Bitmap

	stage   int // 0: the sets; then the values of scalars and of elements, numbers before texts
	num     filter.Number
	text    string
	resumed bool
}

// NewRemoval returns one that has not begun.
func NewRemoval(gone bitmap.Words) *Removal {
	return &Removal{gone: gone, set: SetOf(gone)}
}

const (
	removalSets = iota
	removalEnd  = 5
)

// Remove forgets slots. It goes over all values, up to about work of them, and returns
// true if there are more; the index may be used and added to between two pieces.
func (x *Index) Remove(r *Removal, work int) (more bool) {
	for ; r.stage < removalEnd && work > 0; r.stage++ {
		v := &x.scalars
		if r.stage > 2 {
			v = &x.elements
		}
		switch {
		case r.stage == removalSets:
			x.removeSets(r.set)
		case r.stage%2 != 0:
			r.num, more = v.nums.remove(r.num, r.resumed, &work, r.gone, r.set)
		default:
			r.text, more = v.texts.remove(r.text, r.resumed, &work, r.gone, r.set)
		}
		if r.resumed = more; more {
			return true
		}
	}
	return r.stage < removalEnd
}

func (x *Index) removeSets(set *roaring.Bitmap) {
	x.there.AndNot(set)
	for _, v := range []*values{&x.scalars, &x.elements} {
		for i := range v.words {
			v.words[i].AndNot(set)
		}
		v.long.AndNot(set)
		v.num.AndNot(set)
		v.text.AndNot(set)
	}
}

// Scratch is what a Lookup works with.
type Scratch struct {
	spare  bitmap.Words
	inside bitmap.Words
	out    bitmap.Words
}

// Lookup adds to must the slots for which a condition on the field holds, and to may
// others for which it may; what lies beyond their ends is left out. It reports
// whether there are no such others.
func (x *Index) Lookup(n *filter.Node, must, may bitmap.Words, s *Scratch) (exact bool) {
	switch n.Op {
	case filter.ExistsOp:
		putSet(&x.there, must, &s.spare)
		exact = true
	case filter.ContainsOp:
		exact = x.elements.equal(n.Values, must, may, s)
	case filter.EqOp, filter.InOp:
		exact = x.scalars.equal(n.Values, must, may, s)
	default:
		return x.Range([]*filter.Node{n}, must, may, s)
	}
	return exact
}

// Range is Lookup for several comparisons that must all hold, of one kind of value:
// a number or a string lies in between.
func (x *Index) Range(ns []*filter.Node, must, may bitmap.Words, s *Scratch) (exact bool) {
	exact = true
	switch v := &x.scalars; ns[0].Values[0].Kind {
	case filter.Num:
		between(&v.nums, &v.num, ns, func(n *filter.Node) filter.Number { return n.Values[0].Num }, must, s)
	case filter.String:
		between(&v.texts, &v.text, ns, func(n *filter.Node) string { return n.Values[0].Str }, must, s)
		putSet(&v.long, may, &s.spare)
		exact = v.long.IsEmpty()
	}
	return exact
}

// equal looks up the slots that have one of vals.
func (v *values) equal(vals []filter.Value, must, may bitmap.Words, s *Scratch) bool {
	exact := true
	for i := range vals {
		switch val := &vals[i]; val.Kind {
		case filter.Num:
			if found, ok := v.nums.get(val.Num); ok {
				found.put(must, &s.spare)
			}
		case filter.String:
			if len(val.Str) > maxString {
				exact = exact && v.long.IsEmpty()
				putSet(&v.long, may, &s.spare)
			} else if found, ok := v.texts.get(val.Str); ok {
				found.put(must, &s.spare)
			}
		default:
			putSet(&v.words[wordOf(*val)], must, &s.spare)
		}
	}
	return exact
}

// between puts the slots of the keys that fulfil all comparisons. If these are more
// than half of all, it puts all and takes the others out.
func between[K comparable](d *dict[K], all *roaring.Bitmap, ns []*filter.Node, key func(*filter.Node) K, must bitmap.Words, s *Scratch) {
	from, to := 0, d.len()
	for _, n := range ns {
		k := key(n)
		at, found := d.rank(k)
		after := at
		if found {
			after++
		}
		switch n.Op {
		case filter.LtOp:
			to = min(to, at)
		case filter.LteOp:
			to = min(to, after)
		case filter.GtOp:
			from = max(from, after)
		default:
			from = max(from, at)
		}
	}
	put := func(into bitmap.Words) func(slots) {
		return func(found slots) { found.put(into, &s.spare) }
	}
	n := d.len()
	if to-from <= n/2 {
		d.ranks(from, to, put(must))
		return
	}
	out, inside := empty(&s.out, len(must)), empty(&s.inside, len(must))
	d.ranks(0, from, put(out))
	d.ranks(to, n, put(out))
	putSet(all, inside, &s.spare)
	inside.AndNot(out)
	must.Or(inside)
}

// empty returns w with n words and no slot.
func empty(w *bitmap.Words, n int) bitmap.Words {
	if cap(*w) < n {
		*w = make(bitmap.Words, n)
	}
	r := (*w)[:n]
	clear(r)
	return r
}

// blockBytes is what a block takes itself.
const blockBytes = 80

// Bytes is about how much memory the index takes.
func (x *Index) Bytes() int {
	n := int(x.there.GetSizeInBytes())
	for _, v := range []*values{&x.scalars, &x.elements} {
		n += int(v.long.GetSizeInBytes() + v.num.GetSizeInBytes() + v.text.GetSizeInBytes())
		for i := range v.words {
			n += int(v.words[i].GetSizeInBytes())
		}
		for _, b := range v.nums.blocks {
			n += blockBytes + 16*cap(b.keys) + 4*cap(b.ones) + 8*cap(b.more)
		}
		for _, b := range v.texts.blocks {
			n += blockBytes + 16*cap(b.keys) + 4*cap(b.ones) + 8*cap(b.more)
		}
		v.nums.all(func(_ filter.Number, s slots) bool { n += s.bytes(); return true })
		v.texts.all(func(k string, s slots) bool { n += len(k) + s.bytes(); return true })
	}
	return n
}
