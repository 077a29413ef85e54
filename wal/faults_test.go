package wal

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/vfs"
)

// faulty is a log on a disk in memory that fails when told to.
func faulty(t *testing.T, opts Options) (*Log, *vfs.Inject, *vfs.Mem) {
	t.Helper()
	mem := vfs.NewMem()
	require.NoError(t, Create(mem, opts))
	in := vfs.NewInject(mem)
	l, _, err := Open(in, opts, 0, none)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l, in, mem
}

func TestB01_B02_AFailedSyncIsFinalAndIsNotTriedAgain(t *testing.T) {
	l, in, mem := faulty(t, oneSegment())
	lsn, err := l.Append(1, payloadOf(1))
	require.NoError(t, err)
	require.NoError(t, l.Sync(lsn))
	in.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpSyncData}, Count: 1, Err: errDisk, Lose: true}) // a second one would succeed
	lsn, err = l.Append(1, payloadOf(2))
	require.NoError(t, err)
	calls := in.Calls(vfs.OpSyncData)
	for range 3 {
		err := l.Sync(lsn)
		require.ErrorIs(t, err, vfs.ErrFailed)
		require.ErrorIs(t, err, errDisk)
	}
	_, err = l.Append(1, payloadOf(3))
	require.ErrorIs(t, err, vfs.ErrFailed)
	require.ErrorIs(t, l.Advance(1), vfs.ErrFailed)
	require.Equal(t, uint64(1), l.Durable())
	require.NoError(t, l.Close())
	require.Equal(t, calls+1, in.Calls(vfs.OpSyncData), "it was tried again")

	again, rec, err := recovered(t, mem.Crash(1, vfs.Crash{}), oneSegment(), 0)
	require.NoError(t, err)
	require.Equal(t, uint64(1), rec.LastLSN)
	require.NoError(t, again.Close())
}

func TestB01_AllWhoWaitForOneFsyncHearThatItFailed(t *testing.T) {
	l, in, _ := faulty(t, oneSegment())
	gate := make(chan struct{})
	in.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpSyncData}, Err: errDisk, Hit: func(vfs.Call, int) { <-gate }})
	errs := make(chan error)
	for i := range 8 {
		lsn, err := l.Append(1, payloadOf(uint64(i+1)))
		require.NoError(t, err)
		go func() { errs <- l.Sync(lsn) }()
	}
	close(gate)
	for range 8 {
		require.ErrorIs(t, <-errs, vfs.ErrFailed)
	}
	require.Equal(t, 1, in.Calls(vfs.OpSyncData))
}

func TestB03_AFullDiskIsAnErrorUntilThereIsRoom(t *testing.T) {
	opts := small()
	mem := vfs.NewMem()
	require.NoError(t, Create(mem, opts))
	l, _, err := Open(mem, opts, 0, none)
	require.NoError(t, err)
	mem.SetCapacity(mem.Used() + 8*headerBlock)
	n := uint64(0)
	for {
		lsn, err := l.Append(1, payloadOf(n+1))
		if err != nil {
			require.ErrorIs(t, err, vfs.ErrNoSpace)
			break
		}
		n = lsn
	}
	require.NoError(t, l.Sync(n), "what was taken can be made durable")
	require.NoError(t, l.Advance(n))
	lsn, err := l.Append(1, payloadOf(n+1))
	require.NoError(t, err, "the checkpoint has made room")
	require.Equal(t, n+1, lsn)
	require.NoError(t, l.Close())
	l, rec, err := recovered(t, mem, opts, n)
	require.NoError(t, err)
	require.Equal(t, n+1, rec.LastLSN)
	require.NoError(t, l.Close())
}

func TestB06_WhatAShortWriteLeftIsNeverReadAgain(t *testing.T) {
	for wrote := range 120 {
		l, in, mem := faulty(t, oneSegment())
		_, err := l.Append(1, payloadOf(1))
		require.NoError(t, err)
		in.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpWrite}, Count: 1, Err: errDisk, Short: func(n int) int { return min(n, wrote) }})
		_, err = l.Append(1, []byte("refused"))
		require.ErrorIs(t, err, errDisk)
		lsn, err := l.Append(1, payloadOf(2))
		require.NoError(t, err)
		require.NoError(t, l.Sync(lsn))
		again, rec, err := recovered(t, mem.Crash(1, vfs.Crash{}), oneSegment(), 0)
		require.NoError(t, err)
		require.Equal(t, uint64(2), rec.LastLSN)
		require.Zero(t, rec.TornBytes)
		require.NoError(t, again.Close())
	}
}

func TestD05_D08_AClosedLogTakesNothing(t *testing.T) {
	l, _, _ := faulty(t, oneSegment())
	require.NoError(t, l.Close())
	require.NoError(t, l.Close())
	_, err := l.Append(1, nil)
	require.True(t, errors.Is(err, fs.ErrClosed), "%v", err)
}

func TestTheSizeOfTheLogIsBoundedByCheckpointsWhateverTheOrder(t *testing.T) {
	opts := small()
	mem := vfs.NewMem()
	require.NoError(t, Create(mem, opts))
	l, _, err := Open(mem, opts, 0, none)
	require.NoError(t, err)
	for i := range 3000 {
		lsn, err := l.Append(1, payloadOf(uint64(i+1)))
		require.NoError(t, err)
		if i%37 == 0 {
			require.NoError(t, l.Sync(lsn))
			require.NoError(t, l.Advance(lsn))
			require.Zero(t, l.Size())
		}
		require.LessOrEqual(t, mem.Used(), 4*opts.SegmentSize, "record %d", lsn)
	}
	require.NoError(t, l.Close())
}
