package collection

import (
	"context"
	"slices"
	"strings"

	"github.com/tarndb/tarn/internal/bitmap"
)

// maxKeyPage is how many keys a listing looks for together.
const maxKeyPage = 4096

// byKey reads page after page until there are enough points or no more.
//
//	few may match by the indexes ──> the keys of these, sorted
//	else ──> keys in their order ──> slots ──> those that may match
func (l *list) byKey(ctx context.Context, from string) error {
	want := firstPage(l.limit, maxKeyPage)
	if l.filter != nil {
		set := l.candidates()
		n := set.Len()
		if l.few(n) {
			return l.sortKeys(ctx, from, set)
		}
		// As many as have the page's points among them, and a quarter more.
		want = firstPage(int(min(1.25*float64(want)*float64(l.c.live.Len())/float64(n+1), maxKeyPage)), maxKeyPage)
	}
	for ; ; want = min(want*pageGrowth, maxKeyPage) {
		if err := ctx.Err(); err != nil {
			return err
		}
		last, ids, err := l.c.nextKeys(from, want)
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := l.locate(ids); err != nil {
			return err
		}
		if err := l.read(ctx); err != nil || len(ids) < want {
			return enough(err)
		}
		from = after(last)
	}
}

// walkedPerRead is how many keys are walked over in the time that it takes to read the
// key of a slot.
const walkedPerRead = 3

// few reports whether reading the keys of n points costs less than to walk over all keys
// until there are enough of those points.
func (l *list) few(n int) bool {
	all, cost := float64(l.c.live.Len()), walkedPerRead*float64(n)
	return cost < all && cost*float64(n) < float64(l.limit)*all
}

// sortKeys reads the points of a set with keys from from on, in the order of their keys.
func (l *list) sortKeys(ctx context.Context, from string, set bitmap.Words) error {
	type named struct {
		key string
		place
	}
	var all []named
	for batch := range slices.Chunk(slices.Collect(set.All()), maxKeyPage) {
		if err := ctx.Err(); err != nil {
			return err
		}
		names, err := l.c.keysOf(batch)
		if err != nil {
			return err
		}
		for i, slot := range batch {
			if names[i] >= from {
				all = append(all, named{names[i], place{l.c.store.ID(slot), slot}})
			}
		}
	}
	slices.SortFunc(all, func(a, b named) int { return strings.Compare(a.key, b.key) })
	l.page = l.page[:0]
	for _, n := range all {
		l.page = append(l.page, n.place)
	}
	return enough(l.read(ctx))
}

// after is the smallest key above another.
func after(key string) string { return key + "\x00" }

// nextKeys returns the ids of the want smallest keys from from on, and the last of
// these keys. What has changed since the checkpoint is looked at first: a change
// leaves memory only when it is in meta.db, so a key that is there throughout is in
// one of the two.
func (c *Collection) nextKeys(from string, want int) (last string, ids []uint64, err error) {
	recent := c.keys.recentFrom(from, want)
	take := func(name string, id uint64) {
		if id != 0 {
			last, ids = name, append(ids, id)
		}
	}
	err = c.meta.ScanKeys(from, func(key []byte, id uint64) bool {
		for len(recent) > 0 && recent[0].key < string(key) && len(ids) < want {
			take(recent[0].key, recent[0].id)
			recent = recent[1:]
		}
		if len(ids) == want {
			return false
		}
		if len(recent) > 0 && recent[0].key == string(key) {
			id, recent = recent[0].id, recent[1:]
		}
		if id != 0 {
			take(string(key), id)
		}
		return len(ids) < want
	})
	for ; err == nil && len(recent) > 0 && len(ids) < want; recent = recent[1:] {
		take(recent[0].key, recent[0].id)
	}
	return last, ids, err
}

// namedChange is what a key became; id 0: it is gone.
type namedChange struct {
	key string
	id  uint64
}

// recentFrom returns what has changed since the checkpoint, of the keys from from on
// up to the want-th that is there, in their order.
func (k *keys) recentFrom(from string, want int) []namedChange {
	p := changePage{from: from, want: want}
	k.mu.RLock()
	for key, c := range k.fresh {
		p.add(key, c.id)
	}
	for key, c := range k.frozen {
		if _, changed := k.fresh[key]; !changed {
			p.add(key, c.id)
		}
	}
	k.mu.RUnlock()
	p.cut()
	return p.all
}

// changePage gathers the smallest of many changes.
type changePage struct {
	from  string
	want  int
	all   []namedChange
	there int    // of all, those that are not gone
	bound string // what lies above is of no interest; "": not known yet
}

func (p *changePage) add(key string, id uint64) {
	if key < p.from || p.bound != "" && key > p.bound {
		return
	}
	p.all = append(p.all, namedChange{key, id})
	if id == 0 {
		return
	}
	if p.there++; p.there > 2*p.want {
		p.cut()
	}
}

// cut sorts the changes and drops those above the want-th key that is there.
func (p *changePage) cut() {
	slices.SortFunc(p.all, func(a, b namedChange) int { return strings.Compare(a.key, b.key) })
	p.there = 0
	for i := range p.all {
		if p.all[i].id == 0 {
			continue
		}
		if p.there++; p.there == p.want {
			p.bound = p.all[i].key
			p.all = p.all[:i+1]
			return
		}
	}
}

// locate fills the page with where the points of ids are at this instant, in their
// order, without those that indexes rule out. Their slots are pinned from then on.
func (l *list) locate(ids []uint64) error {
	c := l.c
	c.hook("list: between keys and places")
	l.s.pin.hold(&c.clock)
	c.publish.RLock()
	defer c.publish.RUnlock()
	l.page = slices.Grow(l.page[:0], len(ids))[:len(ids)]
	c.ids.getAll(len(ids), func(i int) uint64 { return ids[i] }, func(i int, slot uint32) {
		l.page[i] = place{ids[i], slot}
	})
	there := l.candidatesNow()
	l.page = slices.DeleteFunc(l.page, func(p place) bool { return p.slot == noSlot || l.filter != nil && !there.Has(p.slot) })
	return c.ids.err()
}
