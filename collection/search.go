package collection

import (
	"context"
	"fmt"
	"math"

	"github.com/tarndb/tarn/internal/bitmap"
)

// Search returns min(k, matching points) results, nearest first, ties by id or key.
// k below 1 or above Options.MaxK is ErrInvalidArgument.
func (c *Collection) Search(ctx context.Context, query []float32, k int, opts ...SearchOption) ([]Result, error) {
	if err := c.gate.enter(); err != nil {
		return nil, c.wrap(err)
	}
	defer c.gate.leave()
	o, err := c.searchOptions(k, opts)
	if err != nil {
		return nil, c.wrap(err)
	}
	if err := c.checkVector(query); err != nil {
		return nil, c.wrap(fmt.Errorf("query: %w", err))
	}
	results, err := c.search(ctx, query, k, &o)
	return results, c.wrap(err)
}

// searchOptions returns the options of a search for k points.
func (c *Collection) searchOptions(k int, opts []SearchOption) (searchOptions, error) {
	o, err := newSearchOptions(opts)
	if err == nil && (k < 1 || k > c.opts.MaxK) {
		err = fmt.Errorf("%w: k is %d: it must be 1 to %d", ErrInvalidArgument, k, c.opts.MaxK)
	}
	return o, err
}

// search is Search with arguments that were found good.
func (c *Collection) search(ctx context.Context, query []float32, k int, o *searchOptions) ([]Result, error) {
	shared.searches.Add(1)
	s := c.takeScratch()
	defer c.putScratch(s)
	s.query.Set(c.config.Metric.kernel(), query)
	var results []Result
	err := guard(func() error {
		if err := c.ids.err(); err != nil {
			return err
		}
		hits, err := c.find(ctx, s, k, o)
		if err == nil {
			results, err = c.results(s, nearEnough(hits, o.farthest), o)
		}
		return err
	})
	return results, err
}

// nearEnough returns those of the sorted hits that are not farther than most.
func nearEnough(hits []hit, most float32) []hit {
	for n := len(hits); n > 0; n-- {
		if hits[n-1].dist <= most {
			return hits[:n]
		}
	}
	return hits[:0]
}

// spare is how many more than k a pass asks for, so that a few points that move or
// die meanwhile do not make it start again.
const spare = 4

// lastPass is the attempt that scans one instant's copy of live, and cannot fail.
const lastPass = 2

// find runs passes until one is right: none of its points was lost to a write that
// went on beside it.
func (c *Collection) find(ctx context.Context, s *scratch, k int, o *searchOptions) ([]hit, error) {
	d := o.decided
	for attempt := 0; ; attempt++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if attempt >= lastPass {
			return c.frozenPass(ctx, s, k, o)
		}
		hits, ok, err := c.pass(ctx, s, k, o, d)
		d = nil // of another pass all is decided anew
		if err != nil || ok {
			return hits, err
		}
	}
}

// pass searches once, with what d says of the filter if that is of use. ok is false if it
// must be done again.
func (c *Collection) pass(ctx context.Context, s *scratch, k int, o *searchOptions, d *decision) (hits []hit, ok bool, err error) {
	if !d.useful(&c.moves) {
		if d, err = c.decideNow(ctx, s, o.filter); err != nil {
			return nil, false, err
		}
	}
	before, start, set := d.before, d.start, d.set
	v := c.view.Load()
	there := c.live.Len()
	if set != nil {
		there = set.Len()
	}
	want := min(k, there+1) + spare // k may be as large as an int
	exact, err := c.gather(ctx, s, v, want, there, set, o)
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
		if err := c.sortHits(s.hits, k); err != nil {
			return nil, false, err
		}
		s.hits = s.hits[:min(k, kept)]
		return s.hits, exact || len(s.hits) >= min(k, there), nil
	}
	kept, ok, err = c.settle(s, start, k, o.filter)
	if !ok || err != nil {
		return nil, false, err
	}
	if full { // beyond the list nothing is known: enough of it must be left
		ok = kept >= k
	} else {
		ok = exact || len(s.hits) >= min(k, there)
	}
	s.hits = s.hits[:min(k, len(s.hits))]
	return s.hits, ok, nil
}

// gather fills s.near with the nearest slots, each once: by a scan of everything
// where that is wanted or cheap, else from delta and graph, in this order (I1). set
// is what the filter leaves, nil: everything; there is how many that are.
func (c *Collection) gather(ctx context.Context, s *scratch, v *view, want, there int, set bitmap.Words, o *searchOptions) (exact bool, err error) {
	ef := o.ef
	if ef == 0 {
		ef = v.efSearch()
	}
	if o.exact || there <= c.opts.Knobs.ExactThreshold || max(ef, want) >= there || c.scanPays(ef, there, set) {
		return true, c.scan(ctx, s, &c.live, set, want-spare, want)
	}
	s.top.Reset(want)
	if err := v.delta.Scan(ctx, c.store, &s.query, &c.live, set, &s.top); err != nil {
		return false, err
	}
	s.near = s.top.Results(s.near[:0])
	c.hook("search: between delta and graph")
	near, ok, err := c.walk(ctx, s, v, want, max(ef, want), there, set)
	if err != nil {
		return false, err
	}
	if s.graph = near; !ok {
		return true, c.scan(ctx, s, &c.live, set, want-spare, want)
	}
	s.near = mergeNear(s.near, s.graph, want)
	return false, nil
}

// apiDistance turns the kernel's distance into the one that results show.
func (c *Collection) apiDistance(d float32) float32 {
	if c.config.Metric == L2 {
		return float32(math.Sqrt(float64(d)))
	}
	return d + 0 // a dot product of 0 is no -0
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
	if o.noPayload && !c.byKey() {
		return out, nil
	}
	return out, c.fillPayloads(s, out, !o.noPayload)
}

// fillPayloads fills in keys and, if wanted, payloads of the slots in s.slots.
func (c *Collection) fillPayloads(s *scratch, out []Result, wanted bool) error {
	s.data = append(s.data[:0], make([][]byte, len(out))...)
	defer clear(s.data)
	if err := c.payloads.read(c.meta, s.slots, c.store.HasPayload, s.data); err != nil {
		return err
	}
	for i, data := range s.data {
		key, payload, err := c.splitBlob(data)
		if err != nil {
			return err
		}
		out[i].Key = string(key)
		if !wanted {
			continue
		}
		if out[i].Payload, err = decodePayload(payload); err != nil {
			return err
		}
	}
	return nil
}
