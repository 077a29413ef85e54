//go:build !windows

package coder

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	graph "github.com/coder/hnsw"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/kernel"
)

// Search appends to out[:0] up to k of the slots that coder/hnsw finds near q
// with beam ef, those in live and in filter (nil: all), nearest first. Slots
// that are not wanted are made up for by asking for more.
func (g *Graph) Search(ctx context.Context, q *kernel.Query, k, ef int, live *bitmap.Set, filter bitmap.Words, out []kernel.Candidate) ([]kernel.Candidate, error) {
	out = out[:0]
	n := g.Len()
	if k < 1 || n == 0 {
		return out, nil
	}
	for want := min(max(k, ef), n); ; want = min(2*want, n) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		nodes, err := g.nearest(q.Vector(), want)
		if err != nil {
			return nil, err
		}
		if out, err = g.score(q, nodes, live, filter, out[:0]); err != nil {
			return nil, err
		}
		if len(out) >= k || want == n {
			return out[:min(k, len(out))], nil
		}
	}
}

// nearest asks coder/hnsw, whose beam is as wide as what is asked for.
func (g *Graph) nearest(vec []float32, want int) (nodes []graph.Node[uint32], err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	construction := g.g.EfSearch
	g.g.EfSearch = want
	defer func() { g.g.EfSearch = construction }()
	err = guard(func() { nodes = g.g.Search(vec, want) })
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	return nodes, nil
}

// score appends the wanted nodes with their distances, sorted.
func (g *Graph) score(q *kernel.Query, nodes []graph.Node[uint32], live *bitmap.Set, filter bitmap.Words, out []kernel.Candidate) ([]kernel.Candidate, error) {
	codes, vecs := g.src.Codes(), g.src.Vectors()
	var slot [1]uint32
	var dist [1]float32
	for _, n := range nodes {
		if live != nil && !live.Has(n.Key) || filter != nil && !filter.Has(n.Key) {
			continue
		}
		slot[0] = n.Key
		if err := g.src.Check(slot[:]); err != nil {
			return nil, err
		}
		q.Vectors(codes, vecs, slot[:], dist[:])
		out = append(out, kernel.Candidate{Slot: n.Key, Dist: dist[0]})
	}
	slices.SortFunc(out, func(a, b kernel.Candidate) int {
		return cmp.Or(cmp.Compare(a.Dist, b.Dist), cmp.Compare(a.Slot, b.Slot))
	})
	return out, nil
}
