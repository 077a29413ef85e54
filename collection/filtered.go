package collection

import (
	"context"
	"math"

	"github.com/tarndb/tarn/hnsw"
	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/kernel"
)

// A search under a filter that m of n live points match, s = m/n, takes the way that
// costs least. Costs are counted in distances of the graph's walk; the constants were
// measured, see docs/filters.md.
//
//	the scan costs no more than the walk it saves ──> exact scan of the m
//	s > PlainShare ──> the ordinary walk: what does not match is walked through
//	else           ──> from match to match over two hops, with a wider beam
//	around the query much less matches than everywhere ──> exact scan after all
//
// A walk ends with what it has found when the scan would have been done.
const (
	// defaultPlainShare is the share of matching points above which the walk is ordinary.
	defaultPlainShare = 0.4
	// walkPerEf is about how many distances a walk computes for each place of its
	// beam, hopsPerEf what a walk over two hops costs.
	walkPerEf = 16
	hopsPerEf = 64
	// scanned is how many slots an exact scan compares in the time of one distance of
	// a walk.
	scanned = 3
)

// wider is the beam of a walk over two hops.
func wider(ef int) int { return ef + ef/2 }

// selective is an engine that can walk from match to match.
type selective interface {
	SearchFiltered(ctx context.Context, q *kernel.Query, k, ef int, live *bitmap.Set, among hnsw.Among, out []kernel.Candidate) ([]kernel.Candidate, bool, error)
}

var _ selective = (*hnsw.Graph)(nil)

// scanCost is what a scan of so many slots costs.
func scanCost(there int) int { return there / scanned }

// scanPays reports whether an exact scan of the points that match costs no more than
// the walk under this filter.
func (c *Collection) scanPays(ef, there int, set bitmap.Words) bool {
	if set == nil || c.opts.Knobs.NoFilterScan {
		return false
	}
	if c.plain(there) {
		return scanCost(there) <= walkPerEf*ef
	}
	return scanCost(there) <= hopsPerEf*wider(ef)
}

// plain reports whether so many match that the walk is ordinary.
func (c *Collection) plain(there int) bool {
	return float64(there) > c.opts.Knobs.PlainShare*float64(c.live.Len())
}

// walk searches the graph for the nearest of set (nil: all). ok is false if a scan
// shall do it.
func (c *Collection) walk(ctx context.Context, s *scratch, v *view, want, ef, there int, set bitmap.Words) (near []kernel.Candidate, ok bool, err error) {
	g, can := v.graph.(selective)
	if set == nil || !can {
		near, err = v.graph.Search(ctx, &s.query, want, ef, &c.live, set, s.graph[:0])
		return near, err == nil, err
	}
	n := c.live.Len()
	among := hnsw.Among{Filter: set, Share: float64(there) / float64(max(1, n)), Others: n - there, Scan: scanCost(there), Hops: !c.plain(there)}
	if c.opts.Knobs.NoFilterScan {
		among.Share, among.Scan = 0, math.MaxInt32
	}
	if among.Hops {
		ef = wider(ef)
	}
	return g.SearchFiltered(ctx, &s.query, want, ef, &c.live, among, s.graph[:0])
}
