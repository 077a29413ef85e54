package wal

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/vfs"
)

// appendUpTo appends records so that the last one has that LSN.
func appendUpTo(t *testing.T, l *Log, lsn uint64) {
	t.Helper()
	for l.Last() < lsn {
		_, err := l.Append(1, payloadOf(l.Last()+1))
		require.NoError(t, err)
	}
}

func TestI5_WhoWaitsIsToldByTheFirstFsyncThatCoversHimAndByNoEarlierOne(t *testing.T) {
	for _, before := range [][2]uint64{{2, 4}, {4, 2}} { // which of the two surely waits when the fsync ends
		toldWhenCovered(t, before[0], before[1])
	}
}

func toldWhenCovered(t *testing.T, waits, comes uint64) {
	l, in, _ := faulty(t, oneSegment())
	begun, end := [2]chan struct{}{make(chan struct{}), make(chan struct{})}, [2]chan struct{}{make(chan struct{}), make(chan struct{})}
	in.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpSyncData}, Count: 2, Hit: func(_ vfs.Call, n int) {
		close(begun[n-1])
		<-end[n-1]
	}})
	sync := func(lsn uint64) chan uint64 {
		durable := make(chan uint64, 1)
		go func() {
			if l.Sync(lsn) == nil {
				durable <- l.Durable()
			}
		}()
		return durable
	}
	until := func(reached func() bool) {
		for ok := false; !ok; runtime.Gosched() {
			l.gate.Lock()
			ok = reached()
			l.gate.Unlock()
		}
	}
	appendUpTo(t, l, 3)
	first := sync(3)
	<-begun[0]
	appendUpTo(t, l, 4)
	next := sync(4) // the first of those who wait
	until(func() bool { return l.batch != nil })
	two := map[uint64]chan uint64{waits: sync(waits)}
	until(func() bool { return l.ended != nil })
	two[comes] = sync(comes)
	close(end[0])
	<-begun[1]
	require.EqualValues(t, 3, <-first)
	require.EqualValues(t, 3, <-two[2], "the fsync under way when it came had covered it")
	close(end[1])
	require.EqualValues(t, 4, <-next)
	require.EqualValues(t, 4, <-two[4])
	require.EqualValues(t, 2, l.syncs.Load())
	require.NoError(t, l.Close())
}

func TestAnFsyncForSeveralWaitsForThoseWhoAreAboutToAppend(t *testing.T) {
	opts, asked := oneSegment(), 0
	var l *Log
	coming := func() bool { return false }
	opts.Coming = func() bool {
		asked++
		return coming()
	}
	l, _, _ = faulty(t, opts)
	appendUpTo(t, l, 1)
	require.NoError(t, l.Sync(1))
	require.Zero(t, asked, "a caller alone waits for nobody")
	appendUpTo(t, l, 3)
	require.NoError(t, l.Sync(3))
	require.Zero(t, asked)

	appendUpTo(t, l, 4)
	coming = func() bool {
		if asked < 3 {
			appendUpTo(t, l, l.Last()+1)
			return true
		}
		return false
	}
	require.NoError(t, l.Sync(4))
	require.EqualValues(t, 6, l.Durable(), "two came")

	asked = 0
	coming = func() bool { return true }
	appendUpTo(t, l, 7)
	require.NoError(t, l.Sync(7), "who never appends is not waited for")
	require.LessOrEqual(t, asked, gatherIdle)

	appendUpTo(t, l, 9)
	require.NoError(t, l.Sync(9))
	coming = func() bool {
		appendUpTo(t, l, l.Last()+1)
		return true
	}
	appendUpTo(t, l, 10)
	require.NoError(t, l.Sync(10))
	require.LessOrEqual(t, l.Durable(), uint64(9+gatherMost), "nor are those who come without end")
	require.NoError(t, l.Close())
}
