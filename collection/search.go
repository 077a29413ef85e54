package collection

import (
	"context"
	"fmt"
	"math"
)

// Search returns min(k, live points) results, nearest first, ties by id. k below 1
// or above Options.MaxK is ErrInvalidArgument.
func (c *Collection) Search(ctx context.Context, query []float32, k int, opts ...SearchOption) ([]Result, error) {
	if err := c.gate.enter(); err != nil {
		return nil, c.wrap(err)
	}
	defer c.gate.leave()
	o, err := newSearchOptions(opts)
	if err != nil {
		return nil, c.wrap(err)
	}
	if k < 1 || k > c.opts.MaxK {
		return nil, c.wrap(fmt.Errorf("%w: k is %d: it must be 1 to %d", ErrInvalidArgument, k, c.opts.MaxK))
	}
	if err := c.checkVector(query); err != nil {
		return nil, c.wrap(fmt.Errorf("query: %w", err))
	}
	shared.searches.Add(1)
	s := c.takeScratch()
	defer c.putScratch(s)
	s.query.Set(c.config.Metric.kernel(), query)
	var results []Result
	err = guard(func() error {
		if err := c.ids.err(); err != nil {
			return err
		}
		hits, err := c.find(ctx, s, k, &o)
		if err == nil {
			results, err = c.results(s, hits, &o)
		}
		return err
	})
	return results, c.wrap(err)
}

// spare is how many more than k a pass asks for, so that a few points that move or
// die meanwhile do not make it start again.
const spare = 4

// lastPass is the attempt that scans one instant's copy of live, and cannot fail.
const lastPass = 2

// find runs passes until one is right: none of its points was lost to a write that
// went on beside it.
func (c *Collection) find(ctx context.Context, s *scratch, k int, o *searchOptions) ([]hit, error) {
	for attempt := 0; ; attempt++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if attempt >= lastPass {
			return c.frozenPass(ctx, s, k)
		}
		hits, ok, err := c.pass(ctx, s, k, o)
		if err != nil || ok {
			return hits, err
		}
	}
}

// pass searches once. ok is false if it must be done again.
func (c *Collection) pass(ctx context.Context, s *scratch, k int, o *searchOptions) (hits []hit, ok bool, err error) {
	before := c.pubs.Load()
	start := c.moves.settled.Load()
	v := c.view.Load()
	want := min(k, c.live.Len()+1) + spare // k may be as large as an int
	exact, err := c.gather(ctx, s, v, want, o)
	if err != nil {
		return nil, false, err
	}
	c.hook("search: before settling")
	full := len(s.near) >= want
	s.hits = s.hits[:0]
	for _, n := range s.near {
		if c.live.Has(n.Slot) {
			s.hits = append(s.hits, c.hit(n))
		}
	}
	kept := len(s.hits)
	if after := c.pubs.Load(); before&1 == 0 && before == after {
		sortHits(s.hits)
		s.hits = s.hits[:min(k, kept)]
		return s.hits, exact || len(s.hits) >= min(k, c.live.Len()), nil
	}
	kept, ok, err = c.settle(s, start)
	if !ok || err != nil {
		return nil, false, err
	}
	if full { // beyond the list nothing is known: enough of it must be left
		ok = kept >= k
	} else {
		ok = exact || len(s.hits) >= min(k, c.live.Len())
	}
	s.hits = s.hits[:min(k, len(s.hits))]
	return s.hits, ok, nil
}

// gather fills s.near with the nearest slots, each once: by a scan of everything
// where that is wanted or cheap, else from delta and graph, in this order (I1).
func (c *Collection) gather(ctx context.Context, s *scratch, v *view, want int, o *searchOptions) (exact bool, err error) {
	s.top.Reset(want)
	n := c.live.Len()
	ef := o.ef
	if ef == 0 {
		ef = c.efSearch()
	}
	if o.exact || n <= c.opts.Knobs.ExactThreshold || max(ef, want) >= n {
		return true, c.scan(ctx, s, &c.live, want-spare, want)
	}
	if err := v.delta.Scan(ctx, c.store, &s.query, &c.live, nil, &s.top); err != nil {
		return false, err
	}
	s.near = s.top.Results(s.near[:0])
	c.hook("search: between delta and graph")
	s.graph, err = v.graph.Search(ctx, &s.query, want, max(ef, want), &c.live, nil, s.graph[:0])
	if err != nil {
		return false, err
	}
	s.near = mergeNear(s.near, s.graph, want)
	return false, nil
}

// apiDistance turns the kernel's distance into the one that results show.
func (c *Collection) apiDistance(d float32) float32 {
	if c.config.Metric == L2 {
		return float32(math.Sqrt(float64(d)))
	}
	return d
}

// results fills in what was asked for about the hits; their slots are pinned.
func (c *Collection) results(s *scratch, hits []hit, o *searchOptions) ([]Result, error) {
	out := make([]Result, len(hits))
	s.slots = s.slots[:0]
	for i, h := range hits {
		out[i] = Result{ID: h.id, Distance: h.dist}
		s.slots = append(s.slots, h.slot)
	}
	if o.vectors {
		for i, h := range hits {
			v, err := c.store.Vector(h.slot, nil)
			if err != nil {
				return nil, err
			}
			out[i].Vector = v
		}
	}
	if o.noPayload {
		return out, nil
	}
	return out, c.fillPayloads(s, out)
}

func (c *Collection) fillPayloads(s *scratch, out []Result) error {
	s.data = append(s.data[:0], make([][]byte, len(out))...)
	defer clear(s.data)
	if err := c.payloads.read(c.meta, s.slots, c.store.HasPayload, s.data); err != nil {
		return err
	}
	for i, data := range s.data {
		p, err := decodePayload(data)
		if err != nil {
			return err
		}
		out[i].Payload = p
	}
	return nil
}
