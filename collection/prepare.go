package collection

import (
	"fmt"
	"math"

	"github.com/tarndb/tarn/internal/kernel"
	"github.com/tarndb/tarn/wal"
)

// newOp validates p and returns its upsert. The vector is the caller's.
func (c *Collection) newOp(p *Point) (op, error) {
	if p.Key != "" {
		return op{}, fmt.Errorf("%w: it has a Key, but this collection names points by ID", ErrInvalidPoint)
	}
	if err := c.checkVector(p.Vector); err != nil {
		return op{}, err
	}
	payload, err := encodePayload(p.Payload, c.opts.MaxPayload)
	if err != nil {
		return op{}, err
	}
	o := op{id: p.ID, vector: p.Vector, payload: payload, old: noSlot}
	if n := recordFixed + opSize(&o, c.config.Dim); n > wal.MaxRecord {
		return op{}, fmt.Errorf("%w: the point is %d bytes, at most %d are written as one", ErrTooLarge, n, wal.MaxRecord)
	}
	return o, nil
}

// newOps validates points and returns their upserts, one per id: of two points
// with one id the later one wins.
func (c *Collection) newOps(points []Point) ([]op, error) {
	ops := make([]op, 0, len(points))
	for i := range points {
		o, err := c.newOp(&points[i])
		if err != nil {
			return nil, &InvalidPointError{Index: i, ID: points[i].ID, Key: points[i].Key, Err: err}
		}
		ops = append(ops, o)
	}
	return lastPerID(ops), nil
}

// lastPerID drops, in place, every operation that a later one on the same id
// makes void.
func lastPerID(ops []op) []op {
	if len(ops) < 2 {
		return ops
	}
	last := make(map[uint64]int, len(ops))
	for i := range ops {
		last[ops[i].id] = i
	}
	if len(last) == len(ops) {
		return ops
	}
	kept := ops[:0]
	for i := range ops {
		if last[ops[i].id] == i {
			kept = append(kept, ops[i])
		}
	}
	return kept
}

// checkVector refuses what the collection cannot measure distances to, in points
// and in queries.
func (c *Collection) checkVector(v []float32) error {
	if len(v) != c.config.Dim {
		return fmt.Errorf("%w: the vector has %d dimensions, the collection has %d", ErrDimension, len(v), c.config.Dim)
	}
	squares, bad := kernel.Check(v)
	if bad >= 0 {
		return fmt.Errorf("%w: component %d is %v: all must be finite", ErrInvalidVector, bad, v[bad])
	}
	if squares >= kernel.MaxNormSquared {
		return fmt.Errorf("%w: its squared norm is %.3g: it must be below %.3g", ErrInvalidVector, squares, float64(kernel.MaxNormSquared))
	}
	if c.config.Metric == Cosine && math.Sqrt(squares) < kernel.MinNorm {
		return fmt.Errorf("%w: its norm is %.3g: with the cosine metric it must be at least %.3g", ErrInvalidVector, math.Sqrt(squares), float64(kernel.MinNorm))
	}
	return nil
}
