package collection

import (
	"errors"
	"fmt"

	"github.com/tarndb/tarn/internal/filter"
	"github.com/tarndb/tarn/streaming"
)

// Errors of a collection. Leaves declare their own (ErrCorrupt, ErrVersion,
// ErrNoSpace, ErrFailed, ErrBufferFull, ErrStreamDead); package tarn exports all
// of them.
var (
	ErrClosed          = streaming.ErrClosed
	ErrReadOnly        = errors.New("opened read-only")
	ErrNotFound        = errors.New("not found")
	ErrInvalidConfig   = errors.New("invalid configuration")
	ErrDimension       = errors.New("wrong dimension")
	ErrInvalidVector   = errors.New("invalid vector")
	ErrInvalidPoint    = errors.New("invalid point")
	ErrTooLarge        = streaming.ErrTooLarge
	ErrInvalidArgument = filter.ErrInvalid
	ErrNotConfigured   = errors.New("streaming is not configured")
)

// InvalidPointError names the point of a batch that was refused. It wraps the one
// of ErrDimension, ErrInvalidVector, ErrInvalidPoint and ErrTooLarge that fits.
type InvalidPointError struct {
	Index int // in the batch
	ID    uint64
	Key   string
	Err   error
}

// Error says which point was refused and why.
func (e *InvalidPointError) Error() string {
	if e.Key != "" {
		return fmt.Sprintf("point %d of the batch (with a key of %d bytes): %v", e.Index, len(e.Key), e.Err)
	}
	return fmt.Sprintf("point %d of the batch (id %d): %v", e.Index, e.ID, e.Err)
}

// Unwrap returns the reason.
func (e *InvalidPointError) Unwrap() error { return e.Err }

// UndeliveredError holds what was not accepted, or was accepted and not written,
// in order, deletes included.
type UndeliveredError struct {
	Ops []Op
	Err error
}

// Error says how much was not delivered and why.
func (e *UndeliveredError) Error() string {
	return fmt.Sprintf("%d operations were not delivered: %v", len(e.Ops), e.Err)
}

// Unwrap returns the reason.
func (e *UndeliveredError) Unwrap() error { return e.Err }
