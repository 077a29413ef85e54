package meta

import (
	"context"
	"errors"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
)

// Finding tells of damage.
type Finding struct {
	File    string
	Problem string
}

// Verify reads every record and the copy, and reports what is wrong with them.
// It returns the bytes it read, the slots that have a payload, and an error only
// if it did not come to the end.
func (s *Store) Verify(ctx context.Context, report func(Finding)) (read int64, withPayload *bitmap.Set, err error) {
	found := func(err error) {
		if err != nil {
			report(Finding{s.name, err.Error()})
		}
	}
	if b, ok := s.back.(*bolt); ok {
		found(inspectFile(b.dir, b.name))
	}
	_, err = s.Config()
	found(err)
	_, err = s.Checkpoint()
	found(err)
	_, err = s.Positions()
	found(err)
	found(s.checkKeys())
	if err := s.checkCopy(); err != nil {
		report(Finding{copyName(s.name), err.Error()})
	}
	withPayload = &bitmap.Set{}
	err = s.EachPayload(func(slot uint32, _ []byte) error {
		withPayload.Add(slot)
		return ctx.Err()
	})
	if errors.Is(err, codec.ErrCorrupt) {
		found(err)
		err = nil
	}
	return s.Bytes(), withPayload, err
}
