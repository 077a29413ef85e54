package crashtest

import (
	"fmt"
	"maps"
	"slices"
)

// contents is what a store holds: id -> checksum of the point.
type contents map[uint64]uint32

// oracle knows what a store must hold: what it held before, and what was heard
// since.
type oracle struct {
	Config
	before    contents
	positions []uint64 // per producer: what Position said before
}

// outcome is what the oracle made of one kill.
type outcome struct {
	kept       []int // per producer: the prefix of its operations that is there
	unacked    int   // operations that were sent, never acknowledged, and are not there
	violations []string
}

// judge compares found with every prefix that would be right (I1). positions
// is what Position says of each producer's source.
func (o oracle) judge(h heard, found contents, positions []uint64) outcome {
	out := outcome{kept: make([]int, len(o.Producers))}
	for p := range o.Producers {
		kept, ok := o.prefix(p, h, found, positions[p])
		if !ok {
			out.violations = append(out.violations, o.explain(p, h, found, positions[p])...)
			continue
		}
		out.kept[p] = kept
		out.unacked += h.sent[p] - kept
	}
	owned := o.owned()
	for _, id := range slices.Sorted(maps.Keys(found)) {
		if !owned[id] && found[id] != o.before[id] {
			out.violations = append(out.violations, fmt.Sprintf("id %d: nobody wrote what is there", id))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(o.before)) {
		if _, ok := found[id]; !ok && !owned[id] {
			out.violations = append(out.violations, fmt.Sprintf("O1: id %d: was there from the start and is gone", id))
		}
	}
	return out
}

// owned returns the ids that producers write.
func (o oracle) owned() map[uint64]bool {
	ids := make(map[uint64]bool)
	for p := range o.Producers {
		for i := range o.IDs {
			ids[o.id(p, i)] = true
		}
	}
	return ids
}

// prefix finds how many of producer p's operations are there: the longest
// prefix that leaves exactly what was found.
func (o oracle) prefix(p int, h heard, found contents, position uint64) (kept int, ok bool) {
	now := o.start(p)
	wrong := 0
	for i := range o.IDs {
		if id := o.id(p, i); !same(now, found, id) {
			wrong++
		}
	}
	fits := func(n, batches int) bool {
		return wrong == 0 && n >= h.acked[p] && position == o.positionAfter(p, batches)
	}
	kept, ok = 0, fits(0, 0)
	batches := 0
	for batch := range o.batches(p) {
		last := batch[len(batch)-1].seq + 1
		if last > h.sent[p] {
			break
		}
		for _, w := range batch {
			before := same(now, found, w.id)
			o.apply(now, p, w)
			wrong += change(before, same(now, found, w.id))
		}
		batches++
		if fits(last, batches) {
			kept, ok = last, true
		}
	}
	return kept, ok
}

// start returns what producer p's ids held before the cycle.
func (o oracle) start(p int) contents {
	now := contents{}
	for i := range o.IDs {
		id := o.id(p, i)
		if sum, ok := o.before[id]; ok {
			now[id] = sum
		}
	}
	return now
}

func (o oracle) apply(now contents, p int, w op) {
	if w.delete {
		delete(now, w.id)
	} else {
		now[w.id] = checksum(o.point(p, w))
	}
}

// positionAfter is what Position says of producer p's source when so many
// batches of this cycle are there.
func (o oracle) positionAfter(p, batches int) uint64 {
	if o.Producers[p] != Source || batches == 0 {
		return o.positions[p]
	}
	return o.offset(batches - 1)
}

func same(a, b contents, id uint64) bool {
	x, inA := a[id]
	y, inB := b[id]
	return inA == inB && x == y
}

func change(before, after bool) int {
	switch {
	case before && !after:
		return 1
	case !before && after:
		return -1
	}
	return 0
}
