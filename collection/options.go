package collection

import "fmt"

// SearchOption changes one search.
type SearchOption func(*searchOptions) error

type searchOptions struct {
	ef        int // 0: the collection's
	exact     bool
	vectors   bool
	noPayload bool
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

// WithVectors fills Result.Vector with the bits that were written.
func WithVectors() SearchOption {
	return func(o *searchOptions) error { o.vectors = true; return nil }
}

// WithoutPayload leaves Result.Payload nil.
func WithoutPayload() SearchOption {
	return func(o *searchOptions) error { o.noPayload = true; return nil }
}

func newSearchOptions(opts []SearchOption) (searchOptions, error) {
	var o searchOptions
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
