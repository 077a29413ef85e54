package collection

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Points whose payload is written anew keep their vectors: the slots that died have the
// same ones, and the graph still holds them.
func TestI2_APointThatIsWrittenAnewWithItsVectorIsFoundBySearchesAndNotItsDeadTwin(t *testing.T) {
	c := hardToFind(t, Knobs{ExactThreshold: -1, FewDeaths: 1 << 30, CompactBytes: 1 << 40})
	untilTrue(t, "all is quiet", c.quiet)
	ps := hard(41, 2_500, 48)
	missed := func() (n int) {
		for _, p := range ps {
			got, err := c.Search(t.Context(), p.Vector, 1)
			require.NoError(t, err)
			if len(got) == 0 || got[0].Distance > 0 {
				n++
			}
		}
		return n
	}
	require.Zero(t, missed())
	require.NoError(t, c.Upsert(t.Context(), ps...))
	untilTrue(t, "all is quiet", c.quiet)
	require.Zero(t, c.notFound())
	require.Zero(t, missed(), "live points that a search for their own vector does not find")
}
