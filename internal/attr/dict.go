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

type block[K comparable] struct {
	keys  []K
	slots []slots
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

func (d *dict[K]) get(key K) *slots {
	if b, i, found := d.find(key); found {
		return &d.blocks[b].slots[i]
	}
	return nil
}

func (d *dict[K]) add(key K, slot uint32) {
	b, i, found := d.find(key)
	if found {
		d.blocks[b].slots[i].add(slot)
		return
	}
	if len(d.blocks) == 0 {
		d.blocks = []*block[K]{{}}
	}
	x := d.blocks[b]
	x.keys = slices.Insert(x.keys, i, key)
	x.slots = slices.Insert(x.slots, i, slots{one: slot})
	if len(x.keys) < blockKeys {
		return
	}
	at := blockKeys / 2
	if b == len(d.blocks)-1 && i == len(x.keys)-1 {
		at = blockKeys - 1 // keys that only rise fill their blocks
	}
	y := &block[K]{slices.Clone(x.keys[at:]), slices.Clone(x.slots[at:])}
	clear(x.keys[at:])
	clear(x.slots[at:])
	x.keys, x.slots = x.keys[:at], x.slots[:at]
	d.blocks = slices.Insert(d.blocks, b+1, y)
}

// remove takes slots out of every key, and keys without a slot.
func (d *dict[K]) remove(gone bitmap.Words, set *roaring.Bitmap) {
	d.blocks = slices.DeleteFunc(d.blocks, func(x *block[K]) bool {
		n := 0
		for i := range x.keys {
			if x.slots[i].remove(gone, set) {
				continue
			}
			x.keys[n], x.slots[n] = x.keys[i], x.slots[i]
			n++
		}
		clear(x.keys[n:])
		clear(x.slots[n:])
		x.keys, x.slots = x.keys[:n], x.slots[:n]
		return n == 0
	})
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
func (d *dict[K]) ranks(from, to int, fn func(s *slots)) {
	for _, x := range d.blocks {
		n := len(x.keys)
		for i := max(0, from); i < min(n, to); i++ {
			fn(&x.slots[i])
		}
		from, to = from-n, to-n
	}
}

// from calls fn with the keys at or above key and their slots, ascending, until it
// returns false.
func (d *dict[K]) from(key K, fn func(key K, s *slots) bool) {
	if len(d.blocks) == 0 {
		return
	}
	b, i, _ := d.find(key)
	for ; b < len(d.blocks); b, i = b+1, 0 {
		x := d.blocks[b]
		for ; i < len(x.keys); i++ {
			if !fn(x.keys[i], &x.slots[i]) {
				return
			}
		}
	}
}

// all is from, from the first key on.
func (d *dict[K]) all(fn func(key K, s *slots) bool) {
	if len(d.blocks) > 0 {
		d.from(d.blocks[0].keys[0], fn)
	}
}
