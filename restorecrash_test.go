package tarn_test

import (
	"bytes"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/internal/vfs"
)

// TestARestoreThatLosesPowerAtAnyStepLeavesAllOrNothing cuts the power before some steps;
// TARN_CRASH_STEP=1 does before every one. What has the name afterwards is whole, and if
// nothing has, the next restore makes it, whatever the first has left.
func TestARestoreThatLosesPowerAtAnyStepLeavesAllOrNothing(t *testing.T) {
	data := everyBlock(t)
	mem := vfs.NewMem()
	disk := vfs.NewInject(mem)
	var mu sync.Mutex
	var after []*vfs.Mem
	steps, each := 0, fromEnv("TARN_CRASH_STEP", 5)
	cut := func() {
		seed := uint64(steps)
		after = append(after, mem.Crash(seed, vfs.Crash{}), mem.Crash(seed, vfs.Crash{Keep: 0.5, Torn: 0.3, Garbage: 0.3}))
	}
	disk.Before(func(c vfs.Call) {
		mu.Lock()
		defer mu.Unlock()
		if c.Op.Mutates() {
			if steps++; steps%each == 0 || c.Op == vfs.OpRename || c.Op == vfs.OpSyncDir {
				cut()
			}
		}
	})
	require.NoError(t, tarn.RestoreInjected(ctx, disk, "copy", bytes.NewReader(data)))
	require.Greater(t, steps, 50)
	disk.Clear()
	cut()
	there := 0
	for i, disk := range after {
		_, err := disk.Stat("copy")
		if err == nil {
			there++
		} else {
			require.Less(t, i, len(after)-2, "it is durable when Restore returns")
			require.NoError(t, tarn.RestoreInjected(ctx, disk, "copy", bytes.NewReader(data)), "cut %d", i)
		}
		requireCopy(t, disk)
	}
	require.GreaterOrEqual(t, there, 2)
	require.Less(t, there, len(after)/2)
}

func requireCopy(t *testing.T, disk vfs.FS) {
	t.Helper()
	dir, err := disk.Sub("copy")
	require.NoError(t, err)
	db, err := tarn.OpenFS(dir, tarn.WithKnobs(graphOnly))
	require.NoError(t, err)
	for name, n := range map[string]int{"test": 11, "test-2": 1} {
		c, err := db.Collection(name)
		require.NoError(t, err)
		require.Equal(t, n, c.Len())
	}
	requireSound(t, db)
	require.NoError(t, db.Close())
}
