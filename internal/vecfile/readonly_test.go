package vecfile

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/vfs"
)

func TestI7_B08_AReadOnlyStoreTakesWritesInMemory(t *testing.T) {
	dir, want := filled(t)
	before := tree(t, dir)
	cfg := config()
	cfg.ReadOnly = true
	s := open(t, dir, cfg, 100)
	requireHolds(t, s, want)
	old := s.Codes()

	reused := points(10, 20, 2, 20)
	require.NoError(t, s.Write(reused), "a slot of a whole chunk, and of a file that is there")
	require.NoError(t, s.Write(points(90, 95, 2, 20)), "a slot of a chunk whose file ends")
	require.NoError(t, s.Reserve(500))
	more := points(95, 500, 3, 20)
	require.NoError(t, s.Write(more))
	requireHolds(t, s, want[:10])
	requireHolds(t, s, reused)
	requireHolds(t, s, want[20:90])
	requireHolds(t, s, points(90, 95, 2, 20))
	requireHolds(t, s, more)
	require.NoError(t, s.Sync())
	require.Len(t, old.Bytes(99), len(s.Codes().Bytes(99)), "the old table is there")

	s.warmMin = 0
	require.NoError(t, s.Warm(t.Context()))
	now := points(0, 500, 4, 20)
	require.NoError(t, s.Write(now))
	require.NoError(t, s.Reserve(700))
	requireHolds(t, s, now)
	require.NoError(t, s.Close())
	require.Equal(t, before, tree(t, dir))
	requireHolds(t, open(t, dir, config(), 100), want)
}

func TestI7_B08_AReadOnlyStoreOfNothingNeedsNoFile(t *testing.T) {
	for what, dir := range map[string]vfs.FS{"disk": disk(t), "memory": vfs.NewMem()} {
		t.Run(what, func(t *testing.T) {
			cfg := config()
			cfg.ReadOnly = true
			s := open(t, dir, cfg, 0)
			requireHolds(t, s, fill(t, s, 0, 150, 1))
			entries, err := dir.List(".")
			require.NoError(t, err)
			require.Empty(t, entries)
		})
	}
}
