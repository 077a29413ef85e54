package wal

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/vfs"
)

func TestB02_AWriteThatFailsBesideAFailedSyncTriesNoFsyncAgain(t *testing.T) {
	l, in, _ := faulty(t, oneSegment())
	lsn, err := l.Append(1, payloadOf(1))
	require.NoError(t, err)
	in.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpSyncData}, Count: 1, Err: errDisk, Lose: true}) // a second one would succeed
	in.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpWrite}, Count: 1, Err: errDisk, Hit: func(vfs.Call, int) {
		require.ErrorIs(t, l.Sync(lsn), vfs.ErrFailed) // another caller's
	}})
	calls := in.Calls(vfs.OpSyncData)
	_, err = l.Append(1, payloadOf(2))
	require.ErrorIs(t, err, vfs.ErrFailed)
	require.Equal(t, calls+1, in.Calls(vfs.OpSyncData), "it was tried again")
}
