package collection

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A search has taken the view when a rebuild puts a graph with a narrower beam into force.
func TestI2_ASearchWalksAGraphWithTheBeamThatItsPointsWereAskedForWith(t *testing.T) {
	const n, dim = 2_500, 48
	fs := tempFS(t)
	require.NoError(t, Create(fs, Config{Dim: dim, Index: IndexConfig{M: 6, EfConstruction: 24, EfSearch: 64}}, [16]byte{1}))
	c, err := Open(Options{Name: "test", FS: fs, MaxPayload: 1 << 10, MaxK: 100, Knobs: Knobs{ExactThreshold: -1, FewDeaths: 1 << 30}})
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	ps := hard(41, n, dim)
	require.NoError(t, c.Upsert(t.Context(), ps...))
	untilTrue(t, "all is quiet", c.quiet)
	v := c.view.Load()
	missed := func() (n int) {
		s := c.takeScratch()
		defer c.putScratch(s)
		for _, p := range ps { // as pass does, once it has v
			s.query.Set(c.config.Metric.kernel(), p.Vector)
			_, err := c.gather(t.Context(), s, v, 1+spare, c.live.Len(), nil, &searchOptions{})
			require.NoError(t, err)
			if len(s.near) == 0 || s.near[0].Dist > 0 {
				n++
			}
		}
		return n
	}
	require.Zero(t, missed())
	require.NoError(t, c.Rebuild(t.Context(), IndexConfig{EfSearch: 5}))
	require.Zero(t, missed(), "points that the old graph finds with the beam that was in force with it")
}
