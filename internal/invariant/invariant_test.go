package invariant

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestI1_ChecksPanicOnlyUnderTheTag(t *testing.T) {
	require.NotPanics(t, func() { Check(true, "holds") })
	broken := func() { Check(false, "slot %d", 7) }
	if Enabled {
		require.PanicsWithValue(t, "invariant broken: slot 7", broken)
		return
	}
	require.NotPanics(t, broken)
}
