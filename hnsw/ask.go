package hnsw

import (
	"context"
	"math"
	"runtime"
	"sync"

	"github.com/tarndb/tarn/internal/kernel"
)

// exactSlots is how many vectors are all compared with a query rather than walked
// through: up to there that is as quick, and right. Measured: see docs/tuning.md.
const exactSlots = 1_000

// asker is the scratch of one search of an Index.
type asker struct {
	q     kernel.Query
	cands []kernel.Candidate
	pool  pool
	slots []uint32
	dists []float32
}

// idleAskers keeps askers between searches, as idle keeps walks.
type idleAskers struct {
	mu   sync.Mutex
	list []*asker
}

func (i *idleAskers) take() *asker {
	i.mu.Lock()
	defer i.mu.Unlock()
	if n := len(i.list); n > 0 {
		a := i.list[n-1]
		i.list = i.list[:n-1]
		return a
	}
	return new(asker)
}

func (i *idleAskers) put(a *asker) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.list) < 2*runtime.GOMAXPROCS(0) {
		i.list = append(i.list, a)
	}
}

// Search returns the min(k, Len) vectors nearest to query, nearest first, ties by
// slot, in the memory of out, which may be nil. ef is how wide the beam is: more
// finds more and takes longer; 0 means DefaultEf, below k it means k. A search that
// is given memory enough allocates none. ctx is looked at now and then.
func (x *Index) Search(ctx context.Context, query []float32, k, ef int, out []Neighbour) ([]Neighbour, error) {
	out = out[:0]
	if err := x.check(query); err != nil {
		return out, err
	}
	if ef <= 0 {
		ef = DefaultEf
	}
	a := x.askers.take()
	defer x.askers.put(a)
	a.q.Set(x.g.cfg.Metric, query)
	if err := x.ask(ctx, a, k, ef); err != nil {
		return out, err
	}
	for _, c := range a.cands {
		d := c.Dist
		if x.g.cfg.Metric == L2 {
			d = float32(math.Sqrt(float64(d)))
		}
		out = append(out, Neighbour{c.Slot, d})
	}
	return out, nil
}

// ask fills a.cands: by the graph, or by looking at everything where that is as
// quick or where the graph did not find enough.
func (x *Index) ask(ctx context.Context, a *asker, k, ef int) (err error) {
	n := x.live.Len()
	if k < 1 || n == 0 {
		a.cands = a.cands[:0]
		return ctx.Err()
	}
	if n > exactSlots && max(k, ef) < n {
		live := &x.live
		if x.gone.Load() == 0 {
			live = nil
		}
		a.cands, err = x.g.Search(ctx, &a.q, k, ef, live, nil, a.cands)
		if err != nil || len(a.cands) >= min(k, n) {
			return err
		}
	}
	return x.scan(ctx, a, min(k, n))
}

// scan compares the query with every live vector.
func (x *Index) scan(ctx context.Context, a *asker, k int) error {
	const piece = 256
	a.pool.reset(k)
	codes, vecs := x.rows.Codes(), x.rows.Vectors()
	if a.slots == nil {
		a.slots, a.dists = make([]uint32, 0, piece), make([]float32, piece)
	}
	compare := func() {
		a.q.Vectors(codes, vecs, a.slots, a.dists[:len(a.slots)])
		for i, s := range a.slots {
			if key := pack(a.dists[i], s); key < a.pool.bound {
				a.pool.insert(key)
			}
		}
		a.slots = a.slots[:0]
	}
	for slot, ok := x.live.Next(0); ok; slot, ok = x.live.Next(slot + 1) {
		if slot >= codes.Cap() {
			break // added meanwhile
		}
		if a.slots = append(a.slots, slot); len(a.slots) < piece {
			continue
		}
		if compare(); ctx.Err() != nil {
			return ctx.Err()
		}
	}
	compare()
	a.cands = a.pool.candidates(a.cands[:0], noSlot)
	return ctx.Err()
}
