package tarn_test

import (
	"context"
	"errors"
	"path"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
	"github.com/tarndb/tarn/internal/vfs"
)

// full is a disk on which nothing that the log wants to write fits.
func full() *vfs.Fault {
	return &vfs.Fault{Ops: []vfs.Op{vfs.OpWrite, vfs.OpAllocate, vfs.OpCreate}, When: ofTheLog, Err: errors.Join(vfs.ErrNoSpace, syscall.ENOSPC)}
}

// ofTheLog matches its segments: a file keeps the temporary name it was made under.
func ofTheLog(c vfs.Call) bool { return path.Base(path.Dir(c.Name)) == "wal" }

// onDisk opens a collection with a stream on a disk that takes faults. The
// directory is made outside of a bubble: its removal is not the bubble's.
func onDisk(t *testing.T, dir string, cfg tarn.StreamingConfig, k collection.Knobs) (*tarn.Stream, *tarn.Collection, *tarn.DB, *vfs.Inject) {
	t.Helper()
	db, disk, err := tarn.OpenInjected(dir, tarn.WithKnobs(k))
	require.NoError(t, err)
	c, err := db.CreateCollection(ctx, "test", tarn.CollectionConfig{Dim: dim, Streaming: &cfg})
	require.NoError(t, err)
	s, err := c.Stream()
	require.NoError(t, err)
	return s, c, db, disk
}

func TestB03_D13_ADiskThatIsFullForTwoSecondsLosesNothingOfAStream(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, c, db, disk := onDisk(t, dir, tarn.StreamingConfig{BufferSize: 100, BatchSize: 10, FlushInterval: 20 * time.Millisecond}, still)
		ps := points(newRand(1), 1, 300, dim)
		waitAll(t, send(t, s, ps[:10]...))
		disk.Add(full())
		freed := time.AfterFunc(2*time.Second, disk.Clear)
		defer freed.Stop()
		tickets := send(t, s, ps[10:110]...)
		_, err := s.TrySend(ps[110])
		require.ErrorIs(t, err, tarn.ErrBufferFull, "the queue keeps what it holds")
		require.ErrorIs(t, c.Upsert(ctx, ps[299]), tarn.ErrNoSpace)
		near, err := c.Search(ctx, ps[3].Vector, 1)
		require.NoError(t, err, "it is readable meanwhile")
		require.Equal(t, ps[3].ID, near[0].ID)
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		err = s.Flush(short)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, tarn.ErrNoSpace, "it says why it waited in vain")
		st := requireCounters(t, s)
		require.Equal(t, 100, st.Queued)
		require.ErrorIs(t, st.LastError, tarn.ErrNoSpace)
		for _, p := range ps[110:] {
			ticket, err := s.Send(ctx, p) // waits for room, thus for the disk
			require.NoError(t, err)
			tickets = append(tickets, ticket)
		}
		waitAll(t, tickets)
		require.Equal(t, 300, c.Len())
		require.NoError(t, db.Close())
	})
}

func TestAnErrorAfterTheLogIsNoReasonToTryAgainEvenIfTheDiskIsFull(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, c, db, disk := onDisk(t, dir, tarn.StreamingConfig{FlushInterval: time.Millisecond}, still)
		ps := points(newRand(1), 1, 4, dim)
		waitAll(t, send(t, s, ps[0]))
		disk.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpWrite}, Glob: "*.vec", Err: vfs.ErrNoSpace})
		err := send(t, s, ps[1])[0].Wait(ctx)
		require.ErrorIs(t, err, tarn.ErrStreamDead)
		require.ErrorIs(t, err, tarn.ErrFailed)
		require.ErrorIs(t, c.Upsert(ctx, ps[2]), tarn.ErrFailed)
		require.Len(t, s.Abort(), 1)
		require.ErrorIs(t, db.Close(), tarn.ErrFailed)
	})
}

func TestD13_AFailedFsyncIsTheDeathOfTheStreamAndIsNotRepeated(t *testing.T) {
	s, c, db, disk := onDisk(t, t.TempDir(), tarn.StreamingConfig{BatchSize: 2, FlushInterval: time.Hour}, collection.Knobs{})
	ps := points(newRand(1), 1, 8, dim)
	waitAll(t, send(t, s, ps[:2]...))
	once := &vfs.Fault{Ops: []vfs.Op{vfs.OpSyncData}, When: ofTheLog, Count: 1, Err: syscall.EIO}
	disk.Add(once)
	for _, ticket := range send(t, s, ps[2:4]...) {
		err := ticket.Wait(soon(t))
		require.ErrorIs(t, err, tarn.ErrStreamDead)
		require.ErrorIs(t, err, tarn.ErrFailed)
		require.ErrorIs(t, err, syscall.EIO)
	}
	_, err := s.TrySend(ps[5])
	require.ErrorIs(t, err, tarn.ErrStreamDead)
	_, err = c.EnableStreaming(ctx, tarn.StreamingConfig{})
	require.ErrorIs(t, err, tarn.ErrFailed, "no fresh start on a log that failed")
	require.Equal(t, 1, disk.Hits(once))
	var rest *tarn.UndeliveredError
	err = db.Close()
	require.ErrorAs(t, err, &rest)
	require.ErrorIs(t, err, tarn.ErrFailed)
	require.Len(t, rest.Ops, 2)
}

func TestCloseGivesUpOnADiskThatStaysFullAndSaysWhatItHolds(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, _, db, disk := onDisk(t, dir, tarn.StreamingConfig{BatchSize: 10, FlushInterval: 20 * time.Millisecond}, still)
		ps := points(newRand(1), 1, 45, dim)
		waitAll(t, send(t, s, ps[:10]...))
		disk.Add(full())
		tickets := send(t, s, ps[10:]...)
		begun := time.Now()
		err := db.Close()
		require.Less(t, time.Since(begun), time.Minute, "in virtual time")
		var rest *tarn.UndeliveredError
		require.ErrorAs(t, err, &rest)
		require.ErrorIs(t, err, tarn.ErrStreamDead)
		require.ErrorIs(t, err, tarn.ErrNoSpace)
		require.NotErrorIs(t, err, context.Canceled)
		requireOps(t, rest.Ops, ps[10:])
		for _, ticket := range tickets {
			require.ErrorIs(t, ticket.Wait(ctx), tarn.ErrNoSpace)
		}
		requireCounters(t, s)
	})
	c, _ := openCollection(t, dir, nil)
	require.Equal(t, 10, c.Len())
}

func TestCloseWaitsForADiskThatIsFreed(t *testing.T) {
	dir := t.TempDir()
	ps := points(newRand(1), 1, 45, dim)
	synctest.Test(t, func(t *testing.T) {
		s, _, db, disk := onDisk(t, dir, tarn.StreamingConfig{BatchSize: 10, FlushInterval: 20 * time.Millisecond}, still)
		disk.Add(full())
		tickets := send(t, s, ps...)
		freed := time.AfterFunc(3*time.Second, disk.Clear)
		defer freed.Stop()
		require.NoError(t, db.Close())
		waitAll(t, tickets)
	})
	c, _ := openCollection(t, dir, nil)
	require.Equal(t, 45, c.Len())
}

// requireOps asserts that ops are the upserts of ps, in order.
func requireOps(t testing.TB, ops []tarn.Op, ps []tarn.Point) {
	t.Helper()
	require.Len(t, ops, len(ps))
	for i := range ps {
		require.Equal(t, tarn.Op{Point: ps[i]}, ops[i])
	}
}

func TestD14_ShutdownWithALateDiskWritesOrHandsBackEveryPoint(t *testing.T) {
	for _, late := range []time.Duration{time.Millisecond, 40 * time.Millisecond, 700 * time.Millisecond} {
		dir := t.TempDir()
		var stored, back int
		ps := points(newRand(1), 1, 200, dim)
		synctest.Test(t, func(t *testing.T) {
			s, c, db, disk := onDisk(t, dir, tarn.StreamingConfig{BufferSize: 200, BatchSize: 10, FlushInterval: time.Hour}, still)
			disk.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpSyncData}, When: ofTheLog, Delay: late})
			tickets := send(t, s, ps...)
			in, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
			defer cancel()
			err := s.Shutdown(in)
			var rest *tarn.UndeliveredError
			if err != nil {
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.ErrorAs(t, err, &rest)
				back = len(rest.Ops)
			}
			stored = c.Len()
			require.Equal(t, len(ps), stored+back, "accepted = stored + handed back")
			if back > 0 {
				requireOps(t, rest.Ops, ps[stored:])
			}
			for i, ticket := range tickets {
				if i < stored {
					require.NoError(t, ticket.Wait(ctx))
				} else {
					require.ErrorIs(t, ticket.Wait(ctx), tarn.ErrClosed)
				}
			}
			st := requireCounters(t, s)
			require.EqualValues(t, stored, st.Written)
			require.EqualValues(t, back, st.Failed)
			disk.Clear()
			require.NoError(t, db.Close())
		})
		c, db := openCollection(t, dir, nil)
		require.Equal(t, stored, c.Len())
		for _, p := range ps[:stored] {
			requirePoint(t, c, p)
		}
		require.NoError(t, db.Close())
		t.Logf("each fsync late by %v: %d written, %d handed back", late, stored, back)
	}
}

func TestAPanicAfterTheLogPoisonsTheCollection(t *testing.T) {
	hooks := newSteps()
	dir := t.TempDir()
	db, err := tarn.Open(dir, tarn.WithKnobs(collection.Knobs{Hook: hooks.hook}))
	require.NoError(t, err)
	c, err := db.CreateCollection(ctx, "test", tarn.CollectionConfig{Dim: dim, Streaming: &tarn.StreamingConfig{FlushInterval: time.Hour}})
	require.NoError(t, err)
	s, err := c.Stream()
	require.NoError(t, err)
	ps := points(newRand(1), 1, 4, dim)
	require.NoError(t, c.Upsert(ctx, ps[0]))
	hooks.call("write: after log", func() { panic("half way") })
	ticket := send(t, s, ps[1])[0]
	require.ErrorIs(t, s.Flush(soon(t)), tarn.ErrStreamDead)
	require.ErrorContains(t, ticket.Wait(soon(t)), "half way")
	hooks.call("write: after log", nil)
	require.ErrorIs(t, c.Upsert(ctx, ps[2]), tarn.ErrFailed, "the log has a record that nobody sees: what it means is known after Open")
	require.ErrorIs(t, db.Close(), tarn.ErrFailed)
	c, _ = openCollection(t, dir, nil)
	for _, p := range ps[:2] {
		requirePoint(t, c, p)
	}
	require.Equal(t, 2, c.Len())
}
