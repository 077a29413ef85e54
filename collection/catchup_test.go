package collection

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNothingLeavesTheDeltaInARoundThatHoldsIt has a rebuild earn much in a round that does
// not gain on the writers, all of it unspent, and then gain enough to hold the delta.
func TestNothingLeavesTheDeltaInARoundThatHoldsIt(t *testing.T) {
	const limit, many, few = 300, 1_200, 400
	rounds := 0 // written between rounds
	var units, free atomic.Int64
	var c *Collection
	replace := func(seed uint64, n int) {
		require.NoError(t, c.Upsert(context.Background(), randomPoints(seed, 0, n)...))
	}
	c = newTestCollection(t, tempFS(t), Knobs{DeltaLimit: limit, NoBackground: true, PauseIndexer: true, Hook: func(step string) {
		switch {
		case step == "rebuild: round":
			if rounds++; rounds == 2 {
				replace(2, many)
			} else if rounds == 3 {
				replace(3, few)
				require.True(t, c.rebuild.pressed.Load())
				require.EqualValues(t, many, c.rebuild.credit.Load())
			}
		case step == "rebuild: unit" && rounds == 3:
			units.Add(1)
			if c.mayIndex() {
				free.Add(1)
			}
		}
	}})
	replace(1, many)
	require.NoError(t, c.Rebuild(t.Context(), IndexConfig{}))
	require.Positive(t, units.Load())
	require.Zero(t, free.Load())
	require.False(t, c.rebuild.pressed.Load())
	require.Equal(t, many, c.Len())
}

func TestWhoHelpsARebuildComesBehindWhileWritersWaitButNotWhenItHasToGainOnThem(t *testing.T) {
	c := newTestCollection(t, tempFS(t), Knobs{NoBackground: true, PauseIndexer: true})
	ranks := func() []rank { return []rank{c.rebuildRank(false), c.rebuildRank(true)} }
	require.Equal(t, []rank{pressing, pressing}, ranks())
	shared.urge()
	require.Equal(t, []rank{pressing, leisurely}, ranks(), "a writer waits")
	c.press(true)
	require.Equal(t, []rank{pressing, pressing}, ranks(), "the last rounds")
	c.press(false)
	shared.calm()
	require.Equal(t, []rank{pressing, pressing}, ranks())
}
