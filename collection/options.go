package collection

import (
	"fmt"
	"math"

	"github.com/tarndb/tarn/internal/filter"
)

// SearchOption changes one search.
type SearchOption func(*searchOptions) error

type searchOptions struct {
	ef        int // 0: the collection's
	exact     bool
	vectors   bool
	noPayload bool
	filter    *filter.Program // nil: none
	farthest  float32         // as results show it
	decided   *decision       // of the filter, of a batch; nil: none
}

// WithEf sets the beam of the search, at most the number of points; below 1 is
// ErrInvalidArgument, below k means k.
func WithEf(ef int) SearchOption {
	return func(o *searchOptions) error {
		if ef < 1 {
			return fmt.Errorf("%w: ef is %d: it must be at least 1", ErrInvalidArgument, ef)
		}
		o.ef = ef
		return nil
	}
}

// WithExact scans all points: recall 1.
func WithExact() SearchOption {
	return func(o *searchOptions) error { o.exact = true; return nil }
}

// WithFilter searches among the points whose payload fulfils f; nil means no filter.
func WithFilter(f filter.Filter) SearchOption {
	return func(o *searchOptions) (err error) {
		if o.filter = nil; f != nil {
			o.filter, err = filter.Compile(f)
		}
		return err
	}
}

// WithMaxDistance leaves out results whose Distance is above d; NaN is
// ErrInvalidArgument.
func WithMaxDistance(d float32) SearchOption {
	return func(o *searchOptions) error {
		if math.IsNaN(float64(d)) {
			return fmt.Errorf("%w: the largest distance is NaN", ErrInvalidArgument)
		}
		o.farthest = d
		return nil
	}
}

// WithVectors fills Result.Vector with the bits that were written.
func WithVectors() SearchOption {
	return func(o *searchOptions) error { o.vectors = true; return nil }
}

// WithoutPayload leaves Result.Payload nil.
func WithoutPayload() SearchOption {
	return func(o *searchOptions) error { o.noPayload = true; return nil }
}

func newSearchOptions(opts []SearchOption) (searchOptions, error) {
	o := searchOptions{farthest: float32(math.Inf(1))}
	for _, set := range opts {
		if set == nil {
			continue
		}
		if err := set(&o); err != nil {
			return o, err
		}
	}
	return o, nil
}
