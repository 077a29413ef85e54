package collection

import (
	"fmt"
	"math"

	"github.com/tarndb/tarn/internal/kernel"
	"github.com/tarndb/tarn/wal"
)

// newOp validates p and returns its upsert. The vector is the caller's.
func (c *Collection) newOp(p *Point) (op, error) {
	id, key, err := c.nameOf(p)
	if err != nil {
		return op{}, err
	}
	if len(p.Payload) > 0 {
		kernel.PrefetchVector(p.Vector) // it comes while the payload is written
	}
	payload, unfit := encodePayload(p.Payload, c.opts.MaxPayload)
	if err := c.checkVector(p.Vector); err != nil {
		return op{}, err
	}
	if unfit != nil {
		return op{}, unfit
	}
	o := op{id: id, key: key, vector: p.Vector, payload: payload, old: noSlot}
	if n := recordFixed + opSize(&o, c.config.Dim); n > wal.MaxRecord {
		return op{}, fmt.Errorf("%w: the point is %d bytes, at most %d are written as one", ErrTooLarge, n, wal.MaxRecord)
	}
	return o, nil
}

// deletion returns the delete of what p names.
func (c *Collection) deletion(p *Point) (op, error) {
	id, key, err := c.nameOf(p)
	return op{id: id, key: key, slot: noSlot, old: noSlot}, err
}

// newOps validates points and returns their upserts, one per id or key: of two
// points with one the later wins.
func (c *Collection) newOps(points []Point) ([]op, error) {
	ops := make([]op, 0, len(points))
	for i := range points {
		o, err := c.newOp(&points[i])
		if err != nil {
			return nil, &InvalidPointError{Index: i, ID: points[i].ID, Key: points[i].Key, Err: err}
		}
		ops = append(ops, o)
	}
	return lastPerName(ops), nil
}

// lastPerName drops, in place, every operation that a later one on the same id or
// key makes void.
func lastPerName(ops []op) []op {
	if len(ops) < 2 || ascending(ops) {
		return ops
	}
	if ops[0].key != "" {
		return lastPer(ops, func(o *op) string { return o.key })
	}
	return lastPer(ops, func(o *op) uint64 { return o.id })
}

// ascending reports whether all names are ids, each above the one before it.
func ascending(ops []op) bool {
	for i := 1; i < len(ops); i++ {
		if ops[i].key != "" || ops[i].id <= ops[i-1].id {
			return false
		}
	}
	return ops[0].key == ""
}

func lastPer[K comparable](ops []op, name func(*op) K) []op {
	last := make(map[K]int, len(ops))
	for i := range ops {
		last[name(&ops[i])] = i
	}
	if len(last) == len(ops) {
		return ops
	}
	kept := ops[:0]
	for i := range ops {
		if last[name(&ops[i])] == i {
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
	return c.config.Metric.check(v)
}

// check returns ErrInvalidVector if v can be no point's.
func (m Metric) check(v []float32) error {
	squares, bad := kernel.Check(v)
	if bad >= 0 {
		return fmt.Errorf("%w: component %d is %v: all must be finite", ErrInvalidVector, bad, v[bad])
	}
	if squares >= kernel.MaxNormSquared {
		return fmt.Errorf("%w: its squared norm is %.3g: it must be below %.3g", ErrInvalidVector, squares, float64(kernel.MaxNormSquared))
	}
	if m == Cosine && math.Sqrt(squares) < kernel.MinNorm {
		return fmt.Errorf("%w: its norm is %.3g: with the cosine metric it must be at least %.3g", ErrInvalidVector, math.Sqrt(squares), float64(kernel.MinNorm))
	}
	return nil
}
