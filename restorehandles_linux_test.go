package tarn_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/internal/vfs"
)

// Where no folder can be renamed in which a file is open or mapped, a restore must hold
// none at its rename: but for the folder itself and its lock, which it lets go of before,
// where that is so.
func TestARestoreHoldsNothingOpenInWhatItRenames(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	below := filepath.Join(dir, "copy.restoring")
	asked := false
	disk := hooked(t, dir, vfs.OpRename, func() {
		asked = true
		open, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		var held []string
		for _, e := range open {
			name, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name()))
			if err == nil && strings.HasPrefix(name, below) {
				held = append(held, strings.TrimPrefix(name, below))
			}
		}
		require.ElementsMatch(t, []string{"", "/LOCK"}, held)
		maps, err := os.ReadFile("/proc/self/maps")
		require.NoError(t, err)
		require.NotContains(t, string(maps), below)
	})
	require.NoError(t, tarn.RestoreInjected(ctx, disk, "copy", bytes.NewReader(everyBlock(t))))
	require.True(t, asked)
	requireWhole(t, filepath.Join(dir, "copy"))
}
