package collection

import (
	"context"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/kernel"
)

// scanPays reports whether an exact scan of so few points is as quick as the graph.
func (c *Collection) scanPays(v *view, ef, there int) bool { return false }

// walk searches the graph for the nearest that are in set (nil: all).
func (c *Collection) walk(ctx context.Context, s *scratch, v *view, want, ef, there int, set bitmap.Words) ([]kernel.Candidate, error) {
	return v.graph.Search(ctx, &s.query, want, ef, &c.live, set, s.graph[:0])
}
