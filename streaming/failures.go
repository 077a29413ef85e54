package streaming

import (
	"errors"
	"slices"
	"sort"
	"sync/atomic"
)

// keptFailures is how many ranges of failed items are remembered.
const keptFailures = 4096

// failure is a range of items that failed for one reason.
type failure struct {
	from, to uint64
	err      error
}

// failures are the newest ranges, ascending. Everything but any is guarded by
// the core's lock; any is stored before the watermark passes a failed item.
type failures struct {
	any       atomic.Bool
	ranges    []failure
	forgotten uint64 // a range up to here is not kept any more
}

// add records that the items from..to failed. They are above all known ranges.
func (f *failures) add(from, to uint64, err error) {
	f.any.Store(true)
	if n := len(f.ranges); n > 0 && f.ranges[n-1].to+1 == from && sameError(f.ranges[n-1].err, err) {
		f.ranges[n-1].to = to
		return
	}
	if len(f.ranges) == 2*keptFailures {
		old := len(f.ranges) - keptFailures
		f.forgotten = f.ranges[old-1].to
		f.ranges = slices.Delete(f.ranges, 0, old)
	}
	f.ranges = append(f.ranges, failure{from, to, err})
}

// find returns the error of the first failed item of from..to; ErrForgotten if
// none is known to have failed and not all can be decided (I7).
func (f *failures) find(from, to uint64) error {
	i := sort.Search(len(f.ranges), func(i int) bool { return f.ranges[i].to >= from })
	if i < len(f.ranges) && f.ranges[i].from <= to {
		return f.ranges[i].err
	}
	if from <= f.forgotten {
		return ErrForgotten
	}
	return nil
}

// count returns how many items of from..to are known to have failed.
func (f *failures) count(from, to uint64) (n uint64) {
	i := sort.Search(len(f.ranges), func(i int) bool { return f.ranges[i].to >= from })
	for ; i < len(f.ranges) && f.ranges[i].from <= to; i++ {
		n += min(to, f.ranges[i].to) - max(from, f.ranges[i].from) + 1
	}
	return n
}

// sameError compares what may not be comparable, such as errors.Join's slices.
func sameError(a, b error) bool {
	return errors.Is(a, b) && errors.Is(b, a)
}
