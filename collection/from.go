package collection

import (
	"fmt"
	"unicode/utf8"
)

// SendOption changes one SendBatch or SendOps.
type SendOption func(*sendOptions) error

type sendOptions struct{ pos *position }

// From makes a SendBatch or SendOps carry its place in a source: the batch and the
// offset become durable in one record, Position returns the highest one after any
// crash, and a batch whose offset is not above it is skipped (its ticket is nil
// once that offset is durable), so that replaying a source writes nothing twice.
// Such a batch is accepted whole or not at all (ErrTooLarge above BufferSize); an
// empty one moves the offset. One producer per source. The source's name is 1 to
// 1024 bytes of UTF-8.
func From(source string, offset uint64) SendOption {
	return func(o *sendOptions) error {
		if source == "" || len(source) > maxSource || !utf8.ValidString(source) {
			return fmt.Errorf("%w: the source's name has %d bytes: it must have 1 to %d, of UTF-8", ErrInvalidArgument, len(source), maxSource)
		}
		o.pos = &position{source, offset}
		return nil
	}
}

func newPosition(opts []SendOption) (*position, error) {
	var o sendOptions
	for _, set := range opts {
		if set == nil {
			continue
		}
		if err := set(&o); err != nil {
			return nil, err
		}
	}
	return o.pos, nil
}
