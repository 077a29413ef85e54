package tarn_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

// kill makes the next flush of a stream panic and waits until its drain is dead.
func kill(t testing.TB, hooks *steps, s *tarn.Stream, ps ...tarn.Point) []tarn.Ticket {
	t.Helper()
	hooks.call("write: before log", func() { panic("the roof fell in") })
	tickets := send(t, s, ps...)
	require.ErrorIs(t, s.Flush(soon(t)), tarn.ErrStreamDead)
	hooks.call("write: before log", nil)
	return tickets
}

func TestD13_ADrainThatDiedSaysWhyAndKeepsWhatWasNotWritten(t *testing.T) {
	hooks := newSteps()
	s, c, db, path := newStream(t, tarn.StreamingConfig{BatchSize: 3, FlushInterval: time.Hour}, collection.Knobs{Hook: hooks.hook})
	ps := points(newRand(1), 1, 20, dim)
	waitAll(t, send(t, s, ps[:3]...))
	tickets := kill(t, hooks, s, ps[3:5]...)
	for _, ticket := range tickets {
		err := ticket.Wait(soon(t))
		require.ErrorIs(t, err, tarn.ErrStreamDead)
		require.ErrorContains(t, err, "the roof fell in")
	}
	_, err := s.TrySend(ps[9])
	require.ErrorIs(t, err, tarn.ErrStreamDead)
	require.ErrorContains(t, err, "the roof fell in")
	_, err = s.Send(ctx, ps[9])
	require.ErrorIs(t, err, tarn.ErrStreamDead)
	_, err = s.SendBatch(ctx, ps[9:11])
	require.ErrorIs(t, err, tarn.ErrStreamDead)
	_, err = s.SendBatch(ctx, ps[9:11], tarn.From("source", 1))
	require.ErrorIs(t, err, tarn.ErrStreamDead)
	_, err = s.Delete(ctx, 1)
	require.ErrorIs(t, err, tarn.ErrStreamDead)
	require.ErrorContains(t, requireCounters(t, s).LastError, "the roof fell in")

	require.NoError(t, c.Upsert(ctx, ps[3]), "calls go on, of ids that it holds too")
	err = s.Shutdown(ctx)
	var rest *tarn.UndeliveredError
	require.ErrorAs(t, err, &rest)
	require.ErrorIs(t, err, tarn.ErrStreamDead)
	require.Equal(t, []tarn.Op{{Point: ps[3]}, {Point: ps[4]}}, rest.Ops)
	same, err := c.Stream()
	require.NoError(t, err)
	require.Same(t, s, same, "it stays until EnableStreaming")
	require.Equal(t, 4, c.Len())

	s, err = c.EnableStreaming(ctx, tarn.StreamingConfig{BatchSize: 3})
	require.NoError(t, err)
	waitAll(t, send(t, s, ps[10:13]...))
	require.Equal(t, 7, c.Len())
	c, _ = reopen(t, db, path, nil)
	require.Equal(t, 7, c.Len(), "what the dead one held is not written later")
}

func TestD13_CloseReturnsWhatADeadStreamHeld(t *testing.T) {
	hooks := newSteps()
	s, _, db, path := newStream(t, tarn.StreamingConfig{FlushInterval: time.Hour}, collection.Knobs{Hook: hooks.hook})
	ps := points(newRand(1), 1, 6, dim)
	send(t, s, ps[:2]...)
	require.NoError(t, s.Flush(soon(t)))
	kill(t, hooks, s, ps[2:]...)
	err := db.Close()
	var rest *tarn.UndeliveredError
	require.ErrorAs(t, err, &rest)
	require.ErrorIs(t, err, tarn.ErrStreamDead)
	require.Len(t, rest.Ops, 4)
	c, _ := openCollection(t, path, nil)
	require.Equal(t, 2, c.Len())
	s, err = c.Stream()
	require.NoError(t, err)
	waitAll(t, send(t, s, ps[2:]...)[:0])
	require.NoError(t, s.Flush(soon(t)))
	require.Equal(t, 6, c.Len())
}

func TestAFlushErrorReachesTheTicketOfEachPointInIt(t *testing.T) {
	hooks := newSteps()
	s, _, _, _ := newStream(t, tarn.StreamingConfig{BatchSize: 4, FlushInterval: time.Hour}, collection.Knobs{Hook: hooks.hook})
	ps := points(newRand(1), 1, 30, dim)
	written := send(t, s, ps[:4]...)
	waitAll(t, written)
	at := hooks.stop(t, "awaited")
	hooks.call("write: before log", func() {
		hooks.hook("awaited")
		panic("out of order")
	})
	failed := send(t, s, ps[4:8]...)
	at.await()
	failed = append(failed, send(t, s, ps[8:14]...)...)
	n, batch, err := s.TrySendBatch(ps[14:18])
	require.NoError(t, err)
	require.Equal(t, 4, n)
	failed = append(failed, batch)
	one, err := s.SendBatch(ctx, ps[18:20], tarn.From("source", 5))
	require.NoError(t, err)
	failed = append(failed, one)
	at.release()
	for _, ticket := range failed {
		err := ticket.Wait(soon(t))
		require.ErrorIs(t, err, tarn.ErrStreamDead)
		require.ErrorContains(t, err, "out of order")
	}
	waitAll(t, written)
	hooks.call("write: before log", nil)
	back := s.Abort()
	require.Len(t, back, 16)
	for i, o := range back {
		require.Equal(t, ps[4+i].ID, o.Point.ID)
	}
}

func TestAStreamThatDiedAndIsEnabledAgainNeverUndoesALaterAPIWrite(t *testing.T) {
	hooks := newSteps()
	s, c, db, path := newStream(t, tarn.StreamingConfig{FlushInterval: time.Hour}, collection.Knobs{Hook: hooks.hook})
	r := newRand(1)
	streamed := points(r, 1, 20, dim)
	kill(t, hooks, s, streamed...)
	written := points(r, 1, 10, dim) // newer, of the ids that the dead stream holds
	require.NoError(t, c.Upsert(soon(t), written...))
	n, err := c.Delete(soon(t), 11, 12)
	require.NoError(t, err)
	require.Zero(t, n, "what the dead stream held was never there")
	again, err := c.EnableStreaming(ctx, tarn.StreamingConfig{FlushInterval: time.Millisecond})
	require.NoError(t, err)
	waitAll(t, send(t, again, points(r, 100, 5, dim)...))
	require.NoError(t, again.Flush(soon(t)))
	require.Len(t, s.Abort(), 20, "it still hands back what it held")
	for range 2 {
		for _, p := range written {
			requirePoint(t, c, p)
		}
		require.Equal(t, 15, c.Len())
		c, db = reopen(t, db, path, nil)
	}
}
