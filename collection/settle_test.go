package collection

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/hnsw"
	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/filter"
	"github.com/tarndb/tarn/internal/kernel"
)

// short is a graph whose searches find some of the nearest, and no more.
type short struct {
	*hnsw.Graph
	most int
}

func (s *short) Search(ctx context.Context, q *kernel.Query, k, ef int, live *bitmap.Set, set bitmap.Words, out []kernel.Candidate) ([]kernel.Candidate, error) {
	near, err := s.Graph.Search(ctx, q, k, ef, live, set, out)
	return near[:min(s.most, len(near))], err
}

func (s *short) SearchFiltered(ctx context.Context, q *kernel.Query, k, ef int, live *bitmap.Set, among hnsw.Among, out []kernel.Candidate) ([]kernel.Candidate, bool, error) {
	near, ok, err := s.Graph.SearchFiltered(ctx, q, k, ef, live, among, out)
	return near[:min(s.most, len(near))], ok, err
}

// inLine returns n points on a line, point i at i, all of which a filter on in finds.
func inLine(n int) []Point {
	ps := make([]Point, n)
	for i := range ps {
		ps[i] = onLine(uint64(i), float32(i))
	}
	return ps
}

func onLine(id uint64, at float32) Point {
	return Point{ID: id, Vector: []float32{at, 0, 0, 0, 0, 0, 0, 0}, Payload: Payload{"in": true}}
}

// counted returns a collection that counts the passes of its searches and does something
// before the first of them settles.
func counted(t *testing.T, k Knobs, n int, do func(c *Collection)) (c *Collection, passes *int) {
	passes = new(int)
	k.PauseIndexer, k.NoBackground = true, true
	k.Hook = func(at string) {
		if at == "search: before settling" {
			if *passes++; *passes == 1 && do != nil {
				do(c)
			}
		}
	}
	c = newTestCollection(t, tempFS(t), k)
	require.NoError(t, c.Upsert(t.Context(), inLine(n)...))
	return c, passes
}

func requireNearest(t *testing.T, c *Collection, want []uint64, opts ...SearchOption) {
	t.Helper()
	near, err := c.Search(t.Context(), make([]float32, 8), 5, opts...)
	require.NoError(t, err)
	ids := []uint64{}
	for _, n := range near {
		ids = append(ids, n.ID)
	}
	require.Equal(t, want, ids)
}

var ifIn = map[string][]SearchOption{"without a filter": nil, "under a filter": {WithFilter(filter.Eq("in", true))}}

// TestASearchCountsWhatItHasAfterItHasSettled has a graph find too little: the search is
// done again unless what has moved meanwhile makes up for it.
func TestASearchCountsWhatItHasAfterItHasSettled(t *testing.T) {
	still, moved := []uint64{0, 1, 2, 3, 4}, []uint64{0, 299, 1, 2, 3}
	for name, opts := range ifIn {
		for _, tc := range []struct {
			found, passes int
			move          bool
		}{
			{found: 5, passes: 1}, {found: 4, passes: 2},
			{found: 5, passes: 1, move: true}, {found: 4, passes: 1, move: true}, {found: 3, passes: 2, move: true},
		} {
			t.Run(fmt.Sprintf("%s/%+v", name, tc), func(t *testing.T) {
				c, passes := counted(t, Knobs{ExactThreshold: -1, NoFilterScan: true}, 300, func(c *Collection) {
					if tc.move {
						require.NoError(t, c.Upsert(context.Background(), onLine(299, 0.5)))
					}
				})
				g, err := c.newEngine(c.Config().Index)
				require.NoError(t, err)
				require.NoError(t, c.swapGraph(t.Context(), &short{g.(*hnsw.Graph), tc.found}, c.Config().Index))
				want := still
				if tc.move {
					want = moved
				}
				requireNearest(t, c, want, opts...)
				require.Equal(t, tc.passes, *passes)
			})
		}
	}
}

// What has moved away is no proof that nothing is nearer than it is now.
func TestASearchOfWhoseListTooLittleStayedIsDoneAgain(t *testing.T) {
	const k, listed = 5, 5 + spare
	for name, opts := range ifIn {
		for _, gone := range []int{listed - k, listed - k + 1} { // the most that leaves k of the list, and one more
			t.Run(fmt.Sprint(name, ", moved: ", gone), func(t *testing.T) {
				c, passes := counted(t, Knobs{}, 100, func(c *Collection) {
					for id := range uint64(gone) {
						require.NoError(t, c.Upsert(context.Background(), onLine(id, 1000)))
					}
				})
				want := []uint64{}
				for id := range uint64(k) {
					want = append(want, uint64(gone)+id)
				}
				requireNearest(t, c, want, opts...)
				require.Equal(t, 1+gone-(listed-k), *passes)
			})
		}
	}
}

// An exact search has seen all there is: what is left of it is the answer, however little.
func TestAnExactSearchBesideDeletesIsNotDoneAgain(t *testing.T) {
	for name, opts := range ifIn {
		t.Run(name, func(t *testing.T) {
			c, passes := counted(t, Knobs{}, 4, func(c *Collection) {
				_, err := c.Delete(context.Background(), 1, 2)
				require.NoError(t, err)
			})
			requireNearest(t, c, []uint64{0, 3}, opts...)
			require.Equal(t, 1, *passes)
		})
	}
}
