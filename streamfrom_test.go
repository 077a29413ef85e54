package tarn_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
	"github.com/tarndb/tarn/internal/vfs"
)

func TestAPositionIsDurableWithItsBatchAndAReplayWritesNothing(t *testing.T) {
	s, c, db, path := newStream(t, tarn.StreamingConfig{BufferSize: 20}, collection.Knobs{})
	r := newRand(1)
	_, ok := c.Position("a")
	require.False(t, ok)
	batch := func(offset uint64, n int) error {
		ticket, err := s.SendBatch(ctx, points(r, offset*100, n, dim), tarn.From("a", offset))
		if err != nil {
			return err
		}
		return ticket.Wait(soon(t))
	}
	require.NoError(t, batch(0, 3), "zero is an offset like another")
	require.NoError(t, batch(7, 5))
	offset, ok := c.Position("a")
	require.True(t, ok)
	require.Equal(t, uint64(7), offset)
	applied := c.Stats().AppliedLSN
	require.NoError(t, batch(7, 5), "a replay is skipped")
	require.NoError(t, batch(3, 2))
	require.Equal(t, applied, c.Stats().AppliedLSN)
	st := requireCounters(t, s)
	require.Equal(t, uint64(7), st.Skipped)
	require.Equal(t, uint64(15), st.Written)
	require.ErrorIs(t, batch(8, 21), tarn.ErrTooLarge, "whole or not at all")
	require.NoError(t, batch(9, 0), "an empty one moves the offset")
	for range 3 {
		offset, ok = c.Position("a")
		require.True(t, ok)
		require.Equal(t, uint64(9), offset)
		require.Equal(t, 8, c.Len())
		killed, other := openCollection(t, crashCopy(t, path), nil)
		offset, ok = killed.Position("a")
		require.True(t, ok)
		require.Equal(t, uint64(9), offset)
		require.Equal(t, 8, killed.Len())
		require.NoError(t, other.Close())
		c, db = reopen(t, db, path, nil)
		s, _ = c.Stream()
		require.NoError(t, batch(9, 4), "skipped after Open too")
	}
	for _, source := range []string{"", string(make([]byte, 1025)), "\xff"} {
		_, err := s.SendBatch(ctx, nil, tarn.From(source, 1))
		require.ErrorIs(t, err, tarn.ErrInvalidArgument)
	}
}

func TestABatchWithItsPlaceThatIsNotAcceptedComesBackWhole(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, c, db, disk := onDisk(t, dir, tarn.StreamingConfig{BufferSize: 4, BatchSize: 2, FlushInterval: time.Hour}, still)
		disk.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpSyncData}, When: ofTheLog, Delay: time.Second})
		ps := points(newRand(1), 1, 8, dim)
		tickets := send(t, s, ps[:2]...) // in flight for a second: two places are left, three are needed
		short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		failed := make(chan error)
		go func() {
			_, err := s.SendBatch(short, ps[2:5], tarn.From("a", 1))
			failed <- err
		}()
		synctest.Wait()
		_, err := s.TrySend(ps[7])
		require.ErrorIs(t, err, tarn.ErrBufferFull, "nobody overtakes it")
		err = <-failed
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var rest *tarn.UndeliveredError
		require.ErrorAs(t, err, &rest)
		requireOps(t, rest.Ops, ps[2:5])
		waitAll(t, tickets)
		require.NoError(t, s.Flush(ctx))
		require.Equal(t, 2, c.Len())
		_, ok := c.Position("a")
		require.False(t, ok)
		require.NoError(t, db.Close())
	})
}

func TestASkippedTicketWaitsForTheOffsetToBeDurable(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, c, db, disk := onDisk(t, dir, tarn.StreamingConfig{FlushInterval: time.Millisecond}, still)
		disk.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpSyncData}, When: ofTheLog, Delay: time.Second})
		ps := points(newRand(1), 1, 3, dim)
		first, err := s.SendBatch(ctx, ps, tarn.From("a", 5))
		require.NoError(t, err)
		again, err := s.SendBatch(ctx, ps, tarn.From("a", 5))
		require.NoError(t, err)
		time.Sleep(500 * time.Millisecond) // it is logged, its fsync is under way
		require.Equal(t, 3, c.Len())
		_, ok := c.Position("a")
		require.False(t, ok, "Position tells what is durable")
		st := requireCounters(t, s)
		require.Zero(t, st.Written)
		require.Zero(t, st.Skipped)
		require.NoError(t, again.Wait(ctx))
		require.NoError(t, first.Wait(ctx))
		offset, ok := c.Position("a")
		require.True(t, ok)
		require.EqualValues(t, 5, offset)
		st = requireCounters(t, s)
		require.EqualValues(t, 6, st.Written)
		require.EqualValues(t, 3, st.Skipped)
		require.NoError(t, db.Close())
	})
}
