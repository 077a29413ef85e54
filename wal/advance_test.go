package wal

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/vfs"
)

// A process is killed between the rename of a new segment and the fsync of the folder.
// The next one, which appends nothing, advances, and the power goes: I11 says that a
// segment that begins at or before checkpoint + 1 is there.
func TestI9_I11_AdvanceRemovesNothingWhileTheNameOfTheLastSegmentMayBeLost(t *testing.T) {
	opts := small()
	mem := vfs.NewMem()
	require.NoError(t, Create(mem, opts))
	killed := vfs.NewInject(mem)
	l, _, err := Open(killed, opts, 0, none)
	require.NoError(t, err)
	for i := range 3 {
		lsn, err := l.Append(1, payloadOf(uint64(i+1)))
		require.NoError(t, err)
		require.NoError(t, l.Sync(lsn))
	}
	killed.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpSyncDir}, Err: errors.New("killed")})
	require.Error(t, l.Turn())
	require.Error(t, l.Failed())
	require.NoError(t, l.Close())

	var left []*vfs.Mem
	in := vfs.NewInject(mem)
	l, _, err = Open(in, opts, 3, none) // 3 is in a checkpoint
	require.NoError(t, err)
	in.Before(func(c vfs.Call) {
		if c.Op == vfs.OpSyncDir {
			for seed := range uint64(20) {
				left = append(left, mem.Crash(seed, vfs.Crash{Keep: 0.5}))
			}
		}
	})
	require.NoError(t, l.Advance(3))
	for seed := range uint64(20) {
		left = append(left, mem.Crash(seed, vfs.Crash{Keep: 0.5}))
	}
	require.NoError(t, l.Close())
	for i, disk := range left {
		l, r, err := Open(disk, opts, 3, none)
		require.NoError(t, err, "cut %d", i)
		require.EqualValues(t, 3, r.LastLSN)
		require.NoError(t, l.Close())
	}
}
