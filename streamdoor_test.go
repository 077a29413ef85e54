package tarn_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

func TestD12_AFullQueueRefusesAtOnceAndWhatItRefusesIsNotStored(t *testing.T) {
	hooks := newSteps()
	s, c, db, path := newStream(t, tarn.StreamingConfig{BufferSize: 4, BatchSize: 2, FlushInterval: time.Hour}, collection.Knobs{Hook: hooks.hook})
	ps := points(newRand(1), 1, 12, dim)
	at := hooks.stop(t, "write: before log")
	tickets := send(t, s, ps[:2]...)
	at.await() // the writer stands still: a send that waited would never return
	tickets = append(tickets, send(t, s, ps[2:4]...)...)
	_, err := s.TrySend(ps[4])
	require.ErrorIs(t, err, tarn.ErrBufferFull)
	n, ticket, err := s.TrySendBatch(ps[4:7])
	require.ErrorIs(t, err, tarn.ErrBufferFull)
	require.Zero(t, n)
	require.NoError(t, ticket.Wait(ctx))
	done, cancel := context.WithCancel(ctx)
	cancel()
	_, err = s.Send(done, ps[7])
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.SendBatch(done, ps[8:10])
	var rest *tarn.UndeliveredError
	require.ErrorAs(t, err, &rest)
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, rest.Ops, 2)
	st := requireCounters(t, s)
	require.Equal(t, uint64(4), st.Accepted)
	require.Equal(t, uint64(7), st.Rejected)
	require.Equal(t, 4, st.Queued)
	at.release()
	waitAll(t, tickets)
	require.NoError(t, s.Flush(soon(t)))
	for range 2 {
		require.Equal(t, 4, c.Len())
		for _, p := range ps[:4] {
			requirePoint(t, c, p)
		}
		for _, p := range ps[4:] {
			_, err = c.Get(ctx, p.ID)
			require.ErrorIs(t, err, tarn.ErrNotFound)
		}
		c, db = reopen(t, db, path, nil)
	}
}

func TestTrySendBatchTakesThePrefixThereIsRoomFor(t *testing.T) {
	hooks := newSteps()
	s, c, _, _ := newStream(t, tarn.StreamingConfig{BufferSize: 5, BatchSize: 2, FlushInterval: time.Hour}, collection.Knobs{Hook: hooks.hook})
	at := hooks.stop(t, "write: before log")
	ps := points(newRand(1), 1, 8, dim)
	n, ticket, err := s.TrySendBatch(ps)
	require.ErrorIs(t, err, tarn.ErrBufferFull)
	require.Equal(t, 5, n)
	at.release()
	require.NoError(t, s.Flush(soon(t)))
	require.NoError(t, ticket.Wait(ctx))
	require.Equal(t, 5, c.Len())
	require.Equal(t, uint64(3), requireCounters(t, s).Rejected)
}

func TestOneBadPointRefusesAStreamsBatchWhole(t *testing.T) {
	s, c, _, _ := newStream(t, tarn.StreamingConfig{}, collection.Knobs{})
	ps := points(newRand(1), 1, 5, dim)
	ps[3].Vector = ps[3].Vector[1:]
	requireNamed := func(err error) {
		t.Helper()
		var bad *tarn.InvalidPointError
		require.ErrorAs(t, err, &bad)
		require.ErrorIs(t, err, tarn.ErrDimension)
		require.Equal(t, 3, bad.Index)
		require.Equal(t, uint64(4), bad.ID)
	}
	n, _, err := s.TrySendBatch(ps)
	requireNamed(err)
	require.Zero(t, n)
	_, err = s.SendBatch(ctx, ps)
	requireNamed(err)
	_, err = s.SendBatch(ctx, ps, tarn.From("a", 1))
	requireNamed(err)
	_, err = s.TrySend(ps[3])
	require.ErrorIs(t, err, tarn.ErrDimension)
	require.Equal(t, uint64(16), requireCounters(t, s).Rejected)
	require.NoError(t, s.Flush(ctx))
	require.Zero(t, c.Len())
}

func TestAPoisonPointAmongTenThousandFailsAlone(t *testing.T) {
	s, c, _, _ := newStream(t, tarn.StreamingConfig{}, collection.Knobs{})
	const n, bad = 10_000, 7_777
	ps := points(newRand(1), 0, n, dim)
	ps[bad].Vector[3] = float32(math.NaN())
	var tickets []tarn.Ticket
	for i, p := range ps {
		ticket, err := s.Send(soon(t), p)
		if i == bad {
			var named *tarn.InvalidPointError
			require.ErrorAs(t, err, &named)
			require.ErrorIs(t, err, tarn.ErrInvalidVector)
			require.EqualValues(t, bad, named.ID)
			continue
		}
		require.NoError(t, err)
		tickets = append(tickets, ticket)
	}
	waitAll(t, tickets)
	require.Equal(t, n-1, c.Len())
	_, err := c.Get(ctx, bad)
	require.ErrorIs(t, err, tarn.ErrNotFound)
	st := requireCounters(t, s)
	require.EqualValues(t, n-1, st.Written)
	require.EqualValues(t, 1, st.Rejected)
	_, err = s.SendBatch(soon(t), ps)
	require.ErrorIs(t, err, tarn.ErrInvalidVector, "a batch with it is refused whole")
	require.EqualValues(t, n+1, requireCounters(t, s).Rejected)
}

func TestADeleteByKeyIsRefusedWhereIDsNamePointsAndDeletesNothing(t *testing.T) {
	s, c, _, _ := newStream(t, tarn.StreamingConfig{}, collection.Knobs{})
	p := points(newRand(1), 0, 1, dim)[0]
	require.NoError(t, c.Upsert(ctx, p))
	for _, opts := range [][]tarn.SendOption{nil, {tarn.From("a", 1)}} {
		_, err := s.SendOps(ctx, []tarn.Op{{Delete: true, Point: tarn.Point{Key: "x"}}}, opts...)
		require.ErrorIs(t, err, tarn.ErrInvalidPoint)
	}
	require.NoError(t, s.Flush(soon(t)))
	requirePoint(t, c, p) // its ID is 0, as that of the delete is
}
