package wal

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/vfs"
)

// After Turn a checkpoint of what there is leaves no segment that holds a record,
// and the log goes on where it was.
func TestALogThatTurnsGivesAllThatACheckpointCoversBack(t *testing.T) {
	l, in, mem := faulty(t, oneSegment())
	require.NoError(t, l.Turn(), "nothing to turn")
	for i := range 5 {
		_, err := l.Append(1, payloadOf(uint64(i+1)))
		require.NoError(t, err)
	}
	in.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpRename}, Count: 1, Err: vfs.ErrNoSpace})
	require.ErrorIs(t, l.Turn(), vfs.ErrNoSpace)
	lsn, err := l.Append(1, payloadOf(6))
	require.NoError(t, err, "nothing has changed")
	require.NoError(t, l.Turn())
	require.NoError(t, l.Turn(), "once is enough")
	require.Equal(t, lsn, l.Durable(), "a segment has a successor when it is durable (I2)")
	entries, err := mem.List(".")
	require.NoError(t, err)
	require.Len(t, entries, 2)
	require.NoError(t, l.Advance(lsn))
	entries, err = mem.List(".")
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, segmentName(lsn+1), entries[0].Name)
	lsn, err = l.Append(1, payloadOf(7))
	require.NoError(t, err)
	require.NoError(t, l.Sync(lsn))
	again, rec, err := recovered(t, mem.Crash(1, vfs.Crash{}), oneSegment(), 6)
	require.NoError(t, err)
	require.Equal(t, uint64(7), rec.LastLSN)
	require.NoError(t, again.Close())
	require.NoError(t, l.Close())
	require.Error(t, l.Turn())
}
