package attr

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/tarndb/tarn/internal/bitmap"
)

// blockKeys is how many keys a block has at most.
const blockKeys = 256

// dict is a sorted map from keys to slots: blocks of sorted keys.
type dict[K comparable] struct {
	compare func(a, b K) int
	blocks  []*block[K]
}

// block is a piece of a dict. Most values of a field that has many have one slot
// each, so what more there may be is kept apart.
type block[K comparable] struct {
	keys []K
	ones []uint32
	more []*group // nil: no key has more than one slot
}

// at returns the slots of key i.
func (x *block[K]) at(i int) slots {
	s := slots{one: x.ones[i]}
	if x.more != nil {
		s.more = x.more[i]
	}
	return s
}

// set makes s the slots of key i.
func (x *block[K]) set(i int, s slots) {
	x.ones[i] = s.one
	if x.more == nil && s.more != nil {
		x.more = make([]*group, len(x.keys), cap(x.keys))
	}
	if x.more != nil {
		x.more[i] = s.more
	}
}

func (x *block[K]) insert(i int, key K, slot uint32) {
	x.keys = slices.Insert(x.keys, i, key)
	x.ones = slices.Insert(x.ones, i, slot)
	if x.more != nil {
		x.more = slices.Insert(x.more, i, nil)
	}
}

// cut takes out the keys from i on and below j.
func (x *block[K]) cut(i, j int) {
	x.keys = slices.Delete(x.keys, i, j)
	x.ones = slices.Delete(x.ones, i, j)
	if x.more != nil {
		x.more = slices.Delete(x.more, i, j)
	}
}

// split moves the keys from i on into a block of their own.
func (x *block[K]) split(i int) *block[K] {
	y := &block[K]{keys: slices.Clone(x.keys[i:]), ones: slices.Clone(x.ones[i:])}
	if x.more != nil && slices.ContainsFunc(x.more[i:], func(g *group) bool { return g != nil }) {
		y.more = slices.Clone(x.more[i:])
	}
	x.cut(i, len(x.keys))
	return y
}

// find returns where key is, or would be.
func (d *dict[K]) find(key K) (b, i int, found bool) {
	b, exact := slices.BinarySearchFunc(d.blocks, key, func(x *block[K], key K) int { return d.compare(x.keys[0], key) })
	if !exact {
		b--
	}
	if b < 0 {
		return 0, 0, false
	}
	i, found = slices.BinarySearchFunc(d.blocks[b].keys, key, d.compare)
	return b, i, found
}

func (d *dict[K]) get(key K) (s slots, ok bool) {
	if b, i, found := d.find(key); found {
		return d.blocks[b].at(i), true
	}
	return slots{}, false
}

func (d *dict[K]) add(key K, slot uint32) {
	b, i, found := d.find(key)
	if found {
		s := d.blocks[b].at(i)
		s.add(slot)
		d.blocks[b].set(i, s)
		return
	}
	if len(d.blocks) == 0 {
		d.blocks = []*block[K]{{}}
	}
	x := d.blocks[b]
	x.insert(i, key, slot)
	if len(x.keys) < blockKeys {
		return
	}
	at := blockKeys / 2
	if b == len(d.blocks)-1 && i == len(x.keys)-1 {
		at = blockKeys - 1 // keys that only rise fill their blocks
	}
	d.blocks = slices.Insert(d.blocks, b+1, x.split(at))
}

// put adds a set of slots to those of a key. The set is the dict's from then on.
func (d *dict[K]) put(key K, set *roaring.Bitmap) {
	d.add(key, set.Minimum())
	b, i, _ := d.find(key)
	s := d.blocks[b].at(i)
	s.join(set)
	d.blocks[b].set(i, s)
}

// remove takes slots out of keys, and keys without a slot, from the key at on or
// from the first, until work is done, which it counts down. more is false at the end;
// else next is where to go on.
func (d *dict[K]) remove(at K, resumed bool, work *int, gone bitmap.Words, set *roaring.Bitmap) (next K, more bool) {
	b, i := 0, 0
	if resumed {
		b, i, _ = d.find(at)
	}
	first := b
	for ; b < len(d.blocks) && !more; b, i = b+1, 0 {
		x, n := d.blocks[b], i
		for ; i < len(x.keys); i++ {
			if more = *work <= 0; more {
				next = x.keys[i]
				break
			}
			s := x.at(i)
			*work -= s.weight()
			if s.remove(gone, set) {
				continue
			}
			if n != i || x.more != nil {
				x.keys[n] = x.keys[i]
				x.set(n, s)
			}
			n++
		}
		x.cut(n, i)
	}
	d.dropEmpty(first, b)
	return next, more
}

// dropEmpty drops the blocks without a key from place i on and below j.
func (d *dict[K]) dropEmpty(i, j int) {
	n := i
	for ; i < j; i++ {
		if x := d.blocks[i]; len(x.keys) > 0 {
			d.blocks[n] = x
			n++
		}
	}
	d.blocks = slices.Delete(d.blocks, n, j)
}

// len returns the number of keys.
func (d *dict[K]) len() int {
	n := 0
	for _, x := range d.blocks {
		n += len(x.keys)
	}
	return n
}

// rank returns how many keys are below key, and whether key is there.
func (d *dict[K]) rank(key K) (n int, found bool) {
	b, i, found := d.find(key)
	for _, x := range d.blocks[:min(b, len(d.blocks))] {
		n += len(x.keys)
	}
	return n + i, found
}

// ranks calls fn with the slots of the keys from rank from on and below rank to.
func (d *dict[K]) ranks(from, to int, fn func(s slots)) {
	for _, x := range d.blocks {
		n := len(x.keys)
		for i := max(0, from); i < min(n, to); i++ {
			fn(x.at(i))
		}
		from, to = from-n, to-n
	}
}

// from calls fn with the keys at or above key and their slots, ascending, until it
// returns false.
func (d *dict[K]) from(key K, fn func(key K, s slots) bool) {
	if len(d.blocks) == 0 {
		return
	}
	b, i, _ := d.find(key)
	for ; b < len(d.blocks); b, i = b+1, 0 {
		x := d.blocks[b]
		for ; i < len(x.keys); i++ {
			if !fn(x.keys[i], x.at(i)) {
				return
			}
		}
	}
}

// all is from, from the first key on.
func (d *dict[K]) all(fn func(key K, s slots) bool) {
	if len(d.blocks) > 0 {
		d.from(d.blocks[0].keys[0], fn)
	}
}
