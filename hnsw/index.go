package hnsw

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/kernel"
)

// Metric says which distance an index uses. A smaller distance is nearer.
type Metric = kernel.Metric

const (
	L2     = kernel.L2     // an Index shows the Euclidean distance, a Graph its square
	Cosine = kernel.Cosine // 1 - cosine similarity
	Dot    = kernel.Dot    // minus the inner product
)

// DefaultEf is the beam of an Index's searches where none is asked for.
const DefaultEf = 64

// ErrVector is returned for a vector that has no distances: one of another
// dimension, with a component that is NaN or infinite, too long, or, for Cosine,
// the zero vector.
var ErrVector = errors.New("invalid vector")

// Neighbour is one answer of a search.
type Neighbour struct {
	Slot     uint32 // as Add returned it
	Distance float32
}

// Index is a graph that holds its vectors as well, for a program that needs a graph
// and no database. It is in memory; Save and LoadIndex write and read it. Its
// methods may be called by many goroutines; searches take no lock.
type Index struct {
	g    *Graph
	rows *heap
	live bitmap.Set
	gone atomic.Int64 // slots that were deleted

	door   sync.RWMutex // held for reading by whoever changes the index, by Save for writing
	askers idleAskers
}

// NewIndex returns an empty index. cfg.Dim is required; other zero fields take
// what Defaults gives, and the zero Metric is L2.
func NewIndex(cfg Config) (*Index, error) {
	if err := kernel.Supported(); err != nil {
		return nil, err
	}
	rows := newHeap(cfg.Dim, cfg.Metric)
	g, err := New(cfg, rows)
	if err != nil {
		return nil, err
	}
	x := &Index{g: g, rows: rows}
	g.Prefer(&x.live)
	return x, nil
}

// Config returns the configuration with its defaults filled in.
func (x *Index) Config() Config { return x.g.Config() }

// Len returns the number of vectors that searches find.
func (x *Index) Len() int { return x.live.Len() }

// Graph returns the graph of the index, for what it can say of itself.
func (x *Index) Graph() *Graph { return x.g }

// Add copies a vector into the index and returns its slot. Slots are numbered 0,
// 1, 2 in the order of the calls and never given twice.
func (x *Index) Add(vec []float32) (slot uint32, err error) {
	if err := x.check(vec); err != nil {
		return 0, err
	}
	x.door.RLock()
	defer x.door.RUnlock()
	first, err := x.rows.take(1)
	if err != nil {
		return 0, err
	}
	return first, x.put(first, vec)
}

// AddAll adds many vectors with some workers at once, at least one, and returns the
// slot of the first; those of the others follow. With one worker the graph depends
// on the vectors and the configuration alone. All vectors are checked before the
// first is added. If ctx ends, those not yet added have slots and are not found.
func (x *Index) AddAll(ctx context.Context, vecs [][]float32, workers int) (first uint32, err error) {
	for i, v := range vecs {
		if err := x.check(v); err != nil {
			return 0, fmt.Errorf("vector %d: %w", i, err)
		}
	}
	x.door.RLock()
	defer x.door.RUnlock()
	if first, err = x.rows.take(len(vecs)); err != nil {
		return 0, err
	}
	var (
		next atomic.Int64
		team sync.WaitGroup
		once sync.Once
	)
	for range max(1, min(workers, len(vecs))) {
		team.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(vecs) {
					return
				}
				e := ctx.Err()
				if e == nil {
					e = x.put(first+uint32(i), vecs[i])
				}
				if e != nil {
					once.Do(func() { err = e })
					return
				}
			}
		})
	}
	team.Wait()
	return first, err
}

// put writes the rows of a slot and links it.
func (x *Index) put(slot uint32, vec []float32) error {
	x.rows.put(slot, vec)
	x.live.Add(slot)
	if err := x.g.Insert(context.Background(), slot); err != nil {
		x.live.Remove(slot)
		return err
	}
	return nil
}

func (x *Index) check(vec []float32) error {
	if len(vec) != x.g.cfg.Dim {
		return fmt.Errorf("%w: %d components, the index has %d", ErrVector, len(vec), x.g.cfg.Dim)
	}
	switch squares, bad := kernel.Check(vec); {
	case bad >= 0:
		return fmt.Errorf("%w: component %d is %v", ErrVector, bad, vec[bad])
	case squares >= kernel.MaxNormSquared:
		return fmt.Errorf("%w: its squared norm is %g", ErrVector, squares)
	case squares == 0 && x.g.cfg.Metric == Cosine:
		return fmt.Errorf("%w: the zero vector has no direction", ErrVector)
	}
	return nil
}

// Delete takes vectors out: no search that begins later finds them. It returns how
// many of them were there. Their memory stays, and walks pass through them; Repair
// makes up for many deletions.
func (x *Index) Delete(slots ...uint32) int {
	x.door.RLock()
	defer x.door.RUnlock()
	n := 0
	for _, s := range slots {
		if x.live.Remove(s) {
			n++
		}
	}
	x.gone.Add(int64(n))
	return n
}

// Repair links the neighbours of deleted vectors to each other: worth its time,
// about an eighth of a build, when one in twenty was deleted since the last one. It
// returns how many rows it changed. Searches and additions go on.
func (x *Index) Repair(ctx context.Context) (int, error) {
	x.door.RLock()
	defer x.door.RUnlock()
	return x.g.Repair(ctx, &x.live)
}

// Vector returns a copy of a slot's vector, nil if the slot was not given or its
// vector was deleted.
func (x *Index) Vector(slot uint32) []float32 {
	if !x.live.Has(slot) {
		return nil
	}
	return append([]float32(nil), x.rows.Vectors().Float32s(slot, x.g.cfg.Dim)...)
}
