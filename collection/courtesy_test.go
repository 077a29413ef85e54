package collection

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// newCourtesy returns a stream that writes nothing, and how many points it may put off.
func newCourtesy(t *testing.T) (s *Stream, c *Collection, limit int) {
	const deltaLimit = 800
	c = newTestCollection(t, tempFS(t), Knobs{PauseIndexer: true, NoBackground: true, DeltaLimit: deltaLimit})
	s = &Stream{c: c}
	t.Cleanup(func() {
		s.crowded(false)
		require.Zero(t, shared.bursts.Load())
	})
	return s, c, deltaLimit / 8 * 7
}

func TestNoMorePointsThanADeltaHoldsAreWrittenWhileIndexersStandAside(t *testing.T) {
	s, _, limit := newCourtesy(t)
	aside := 0
	for range 10_000 { // the same points again and again: the delta does not fill
		s.crowded(true)
		s.courtesy.count(s.c, 10)
		if shared.bursts.Load() > 0 {
			aside += 10
		}
		s.crowded(false) // a backlog that flickers is none the younger
		require.Zero(t, shared.bursts.Load())
	}
	require.Equal(t, limit, aside)
}

func TestWhatIndexersWerePutOffTheyMakeUpForPointByPoint(t *testing.T) {
	s, c, limit := newCourtesy(t)
	s.crowded(true)
	write := func() (aside int) {
		for range 1000 {
			s.courtesy.count(c, 10)
			if shared.bursts.Load() > 0 {
				aside += 10
			}
		}
		return aside
	}
	require.Equal(t, limit, write())
	require.Zero(t, write(), "in a backlog without end they work on")
	c.index.linked.Add(130)
	require.Equal(t, 130, write())
	c.index.linked.Add(1 << 40)
	require.Equal(t, limit, write(), "no more for having worked a lot")
}

func TestNobodyStandsAsideForADeltaThatIsNearlyFull(t *testing.T) {
	s, c, limit := newCourtesy(t)
	require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 0, limit-5)...))
	s.crowded(true)
	s.courtesy.count(c, 5)
	require.EqualValues(t, 1, shared.bursts.Load())
	require.NoError(t, c.Upsert(t.Context(), randomPoints(1, 10_000, 5)...))
	s.courtesy.count(c, 5)
	require.Zero(t, shared.bursts.Load())
}
