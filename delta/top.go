package delta

import (
	"cmp"
	"slices"

	"github.com/tarndb/tarn/internal/kernel"
)

// Top collects the k nearest slots of one search, over one or more scans of
// slots that are not the same. It is reused from search to search.
type Top struct {
	k     int
	upper []float32          // heap, largest first: the k smallest upper bounds met
	best  []kernel.Candidate // heap, farthest first: the k nearest of those re-scored
	near  []kernel.Candidate // may be among the k nearest; Dist is the lower bound

	slots  [blockSlots]uint32
	approx [blockSlots]float32
	slack  [blockSlots]float32
	exact  [exactSlots]float32
}

// Reset forgets everything; the next scans collect the k nearest slots.
func (t *Top) Reset(k int) {
	t.k = k
	t.upper, t.best, t.near = t.upper[:0], t.best[:0], t.near[:0]
}

// Results appends the slots found to out, nearest first, ties by slot.
func (t *Top) Results(out []kernel.Candidate) []kernel.Candidate {
	n := len(out)
	out = append(out, t.best...)
	slices.SortFunc(out[n:], compare)
	return out
}

// Full reports whether k slots were found, and the distance of the farthest.
func (t *Top) Full() (farthest float32, ok bool) {
	if len(t.best) < t.k || t.k == 0 {
		return 0, false
	}
	return t.best[0].Dist, true
}

// compare orders by distance, then slot.
func compare(a, b kernel.Candidate) int {
	if c := cmp.Compare(a.Dist, b.Dist); c != 0 {
		return c
	}
	return cmp.Compare(a.Slot, b.Slot)
}

// farther is compare(a, b) > 0 for distances that are not NaN.
func farther(a, b kernel.Candidate) bool {
	return a.Dist > b.Dist || a.Dist == b.Dist && a.Slot > b.Slot
}

// offer puts a candidate among the k nearest if it is one of them.
func (t *Top) offer(c kernel.Candidate) {
	h := t.best
	if len(h) < t.k {
		h = append(h, c)
		i := len(h) - 1
		for i > 0 && farther(h[i], h[(i-1)/2]) {
			h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
			i = (i - 1) / 2
		}
		t.best = h
		return
	}
	if t.k == 0 || !farther(h[0], c) {
		return
	}
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && farther(h[child+1], h[child]) {
			child++
		}
		if !farther(h[child], c) {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = c
}

// bound notes that a slot is no farther than u.
func (t *Top) bound(u float32) {
	h := t.upper
	if len(h) < t.k {
		h = append(h, u)
		i := len(h) - 1
		for i > 0 && h[i] > h[(i-1)/2] {
			h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
			i = (i - 1) / 2
		}
		t.upper = h
		return
	}
	if t.k == 0 || u >= h[0] {
		return
	}
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1] > h[child] {
			child++
		}
		if h[child] <= u {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = u
}
