package tarn_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

const dim = 8

// newStream opens a collection with a stream.
func newStream(t testing.TB, cfg tarn.StreamingConfig, k collection.Knobs) (*tarn.Stream, *tarn.Collection, *tarn.DB, string) {
	t.Helper()
	c, db, path := newCollection(t, tarn.CollectionConfig{Dim: dim, Streaming: &cfg}, tarn.WithKnobs(k))
	s, err := c.Stream()
	require.NoError(t, err)
	return s, c, db, path
}

// send queues points without waiting.
func send(t testing.TB, s *tarn.Stream, ps ...tarn.Point) []tarn.Ticket {
	t.Helper()
	tickets := make([]tarn.Ticket, len(ps))
	for i, p := range ps {
		var err error
		tickets[i], err = s.TrySend(p)
		require.NoError(t, err)
	}
	return tickets
}

func waitAll(t testing.TB, tickets []tarn.Ticket) {
	t.Helper()
	for _, ticket := range tickets {
		require.NoError(t, ticket.Wait(soon(t)))
	}
}

// requireCounters asserts that what was accepted is accounted for.
func requireCounters(t testing.TB, s *tarn.Stream) tarn.StreamStats {
	t.Helper()
	st := s.Stats()
	require.Equal(t, st.Accepted, st.Written+st.Failed+uint64(st.Queued))
	require.LessOrEqual(t, st.Skipped, st.Written)
	return st
}

func TestAStreamOfZerosHasTheDefaults(t *testing.T) {
	want := tarn.StreamingConfig{BufferSize: 10_000, BatchSize: 128, FlushInterval: 50 * time.Millisecond}
	require.Equal(t, want, tarn.DefaultStreamingConfig())
	s, c, db, path := newStream(t, tarn.StreamingConfig{}, collection.Knobs{})
	require.Equal(t, want, s.Config())
	require.Equal(t, want, *c.Config().Streaming)
	c, db = reopen(t, db, path, nil)
	require.Equal(t, want, *c.Config().Streaming)
	s, err := c.EnableStreaming(ctx, tarn.StreamingConfig{BatchSize: 7})
	require.NoError(t, err)
	want.BatchSize = 7
	require.Equal(t, want, s.Config())
	c, _ = reopen(t, db, path, nil)
	require.Equal(t, want, *c.Config().Streaming)
}

func TestConfigReturnsWhatWasGiven(t *testing.T) {
	given := tarn.StreamingConfig{BufferSize: 321, BatchSize: 45, FlushInterval: 67 * time.Millisecond}
	c, db, path := newCollection(t, tarn.CollectionConfig{Dim: dim, Metric: tarn.Cosine, WriteMode: tarn.WriteStreaming,
		Index: tarn.IndexConfig{M: 9, EfConstruction: 77, EfSearch: 55}}, nil)
	require.Nil(t, c.Config().Streaming)
	s, err := c.EnableStreaming(ctx, given)
	require.NoError(t, err)
	for range 2 {
		require.Equal(t, given, s.Config())
		require.Equal(t, tarn.CollectionConfig{Dim: dim, Metric: tarn.Cosine, WriteMode: tarn.WriteStreaming,
			Index: tarn.IndexConfig{M: 9, EfConstruction: 77, EfSearch: 55}, Streaming: &given}, c.Config())
		c.Config().Streaming.BatchSize = 1 // a copy: it changes nothing
		c, db = reopen(t, db, path, nil)
		s, err = c.Stream()
		require.NoError(t, err)
	}
}

func TestTheCallersConfigIsCopied(t *testing.T) {
	given := tarn.StreamingConfig{BatchSize: 3}
	c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: dim, Streaming: &given}, nil)
	require.Equal(t, tarn.StreamingConfig{BatchSize: 3}, given)
	given.BatchSize = 4
	require.Equal(t, 3, c.Config().Streaming.BatchSize)
}

func TestTheIntervalIsRoundedUpToMilliseconds(t *testing.T) {
	s, c, db, path := newStream(t, tarn.StreamingConfig{FlushInterval: 1}, collection.Knobs{})
	require.Equal(t, time.Millisecond, s.Config().FlushInterval)
	s, err := c.EnableStreaming(ctx, tarn.StreamingConfig{FlushInterval: 1200 * time.Microsecond})
	require.NoError(t, err)
	require.Equal(t, 2*time.Millisecond, s.Config().FlushInterval)
	c, _ = reopen(t, db, path, nil)
	require.Equal(t, 2*time.Millisecond, c.Config().Streaming.FlushInterval)
}

func TestE06_ABadStreamingConfigNamesEveryBadField(t *testing.T) {
	s, c, _, _ := newStream(t, tarn.StreamingConfig{}, collection.Knobs{})
	for _, bad := range []tarn.StreamingConfig{
		{BufferSize: -1, BatchSize: -1, FlushInterval: -1},
		{BufferSize: 10_000_001, BatchSize: 1_000_001, FlushInterval: time.Hour + 1},
	} {
		_, err := c.EnableStreaming(ctx, bad)
		require.ErrorIs(t, err, tarn.ErrInvalidConfig)
		for _, field := range []string{"BufferSize", "BatchSize", "FlushInterval"} {
			require.ErrorContains(t, err, field)
		}
	}
	_, err := c.EnableStreaming(ctx, tarn.StreamingConfig{BatchSize: -1})
	require.ErrorContains(t, err, "BatchSize")
	require.NotContains(t, err.Error(), "BufferSize")
	require.NotContains(t, err.Error(), "FlushInterval")
	require.Equal(t, tarn.DefaultStreamingConfig(), *c.Config().Streaming, "a refused configuration changes nothing")
	_, err = s.TrySend(points(newRand(1), 1, 1, dim)[0])
	require.NoError(t, err, "and the stream goes on")
	s, err = c.EnableStreaming(ctx, tarn.StreamingConfig{BufferSize: 10_000_000, BatchSize: 1_000_000, FlushInterval: time.Hour})
	require.NoError(t, err, "the limits themselves are legal")
	require.Equal(t, time.Hour, s.Config().FlushInterval)
}

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

func TestSendWaitsForRoomAndKeepsTheOrder(t *testing.T) {
	s, c, _, _ := newStream(t, tarn.StreamingConfig{BufferSize: 3, BatchSize: 2, FlushInterval: time.Millisecond}, collection.Knobs{})
	r := newRand(1)
	var last tarn.Point
	for i := range 100 {
		last = tarn.Point{ID: 7, Vector: vector(r, dim), Payload: tarn.Payload{"n": int64(i)}}
		_, err := s.Send(soon(t), last)
		require.NoError(t, err)
	}
	require.NoError(t, s.Flush(soon(t)))
	require.Equal(t, 1, c.Len())
	requirePoint(t, c, last)
	require.Equal(t, uint64(100), requireCounters(t, s).Written)
}

func TestBatchSizePointsTriggerABatch(t *testing.T) {
	s, c, _, _ := newStream(t, tarn.StreamingConfig{BatchSize: 5, FlushInterval: time.Hour}, collection.Knobs{})
	ps := points(newRand(1), 1, 12, dim)
	waitAll(t, send(t, s, ps[:5]...))
	require.Equal(t, 5, c.Len())
	require.Equal(t, uint64(1), requireCounters(t, s).Batches)
	require.Equal(t, uint64(1), c.Stats().AppliedLSN, "a batch is one record")
	tickets := send(t, s, ps[5:]...) // five leave, two stay
	waitAll(t, tickets[:5])
	require.Equal(t, 10, c.Len())
	require.Equal(t, 2, requireCounters(t, s).Queued)
	require.NoError(t, s.Flush(soon(t)))
	waitAll(t, tickets)
	require.Equal(t, 12, c.Len())
	require.Equal(t, uint64(3), c.Stats().AppliedLSN)
}

// still is for tests in virtual time: no goroutine of the store looks at a clock
// but the stream's.
var still = collection.Knobs{PauseIndexer: true, NoBackground: true}

func TestAPartialBatchLeavesAfterFlushInterval(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c, s := virtual(t, dir, tarn.StreamingConfig{BatchSize: 5, FlushInterval: 100 * time.Millisecond})
		tickets := send(t, s, points(newRand(1), 1, 3, dim)...)
		time.Sleep(99 * time.Millisecond)
		require.Equal(t, 3, s.Stats().Queued)
		require.Zero(t, c.Len())
		waitAll(t, tickets)
		require.Equal(t, 3, c.Len())
		require.Equal(t, uint64(1), requireCounters(t, s).Batches)
	})
}

func TestASizeFlushRestartsTheTimer(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c, s := virtual(t, dir, tarn.StreamingConfig{BatchSize: 2, FlushInterval: 100 * time.Millisecond})
		ps := points(newRand(1), 1, 3, dim)
		tickets := send(t, s, ps[0]) // the timer runs from here
		time.Sleep(60 * time.Millisecond)
		tickets = append(tickets, send(t, s, ps[1])...) // a full batch leaves: the timer begins again
		waitAll(t, tickets)
		require.Equal(t, 2, c.Len())
		tickets = send(t, s, ps[2])
		time.Sleep(99 * time.Millisecond) // the first timer would have fired
		require.Equal(t, 1, s.Stats().Queued)
		require.Equal(t, 2, c.Len())
		waitAll(t, tickets)
		require.Equal(t, 3, c.Len())
	})
}

// virtual opens a collection with a stream inside a synctest bubble.
func virtual(t *testing.T, dir string, cfg tarn.StreamingConfig) (*tarn.Collection, *tarn.Stream) {
	t.Helper()
	db, err := tarn.Open(dir, tarn.WithKnobs(still))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	c, err := db.CreateCollection(ctx, "test", tarn.CollectionConfig{Dim: dim, Streaming: &cfg})
	require.NoError(t, err)
	s, err := c.Stream()
	require.NoError(t, err)
	return c, s
}

func TestShutdownWritesWhatIsLeftInSlicesOfBatchSize(t *testing.T) {
	hooks := newSteps()
	s, c, db, path := newStream(t, tarn.StreamingConfig{BatchSize: 10, FlushInterval: time.Hour}, collection.Knobs{Hook: hooks.hook})
	ps := points(newRand(1), 1, 46, dim)
	at := hooks.stop(t, "write: before log")
	tickets := send(t, s, ps[:10]...)
	at.await()
	tickets = append(tickets, send(t, s, ps[10:]...)...)
	wait := inBackground(t, func() error { return s.Shutdown(ctx) })
	eventually(t, "the stream takes no more", func() bool {
		_, _, err := s.TrySendBatch(ps[:1])
		if err == nil { // it came before the shutdown: one more of the same points
			tickets = append(tickets, tarn.Ticket{})
			return false
		}
		return errors.Is(err, tarn.ErrClosed)
	})
	extra := len(tickets) - len(ps)
	at.release()
	require.NoError(t, wait())
	waitAll(t, tickets)
	st := requireCounters(t, s)
	require.Equal(t, uint64(len(ps)+extra), st.Written)
	require.Equal(t, uint64(1+(36+extra+9)/10), st.Batches)
	require.Equal(t, st.Batches, c.Stats().AppliedLSN, "a slice is one record")
	require.NoError(t, s.Shutdown(ctx))
	require.NoError(t, s.Flush(ctx))
	require.Nil(t, s.Abort())
	same, err := c.Stream()
	require.NoError(t, err, "it stays what Stream returns")
	require.Same(t, s, same)
	c, _ = reopen(t, db, path, nil)
	require.Equal(t, len(ps), c.Len())
	s, err = c.Stream()
	require.NoError(t, err, "Open starts a new one")
	waitAll(t, send(t, s, points(newRand(2), 100, 10, dim)...))
}

func TestShutdownAtItsContextsEndHandsBackTheRestInOrder(t *testing.T) {
	hooks := newSteps()
	s, c, _, _ := newStream(t, tarn.StreamingConfig{BatchSize: 2, FlushInterval: time.Hour}, collection.Knobs{Hook: hooks.hook})
	ps := points(newRand(1), 1, 9, dim)
	at := hooks.stop(t, "write: after log")
	tickets := send(t, s, ps[:2]...)
	at.await()
	tickets = append(tickets, send(t, s, ps[2:8]...)...)
	ticket, err := s.Delete(ctx, 1)
	require.NoError(t, err)
	tickets = append(tickets, ticket)
	done, cancel := context.WithCancel(ctx)
	cancel()
	wait := inBackground(t, func() error { return s.Shutdown(done) })
	extra := 0 // that came before the shutdown
	eventually(t, "the stream takes no more", func() bool {
		_, err := s.TrySend(ps[8])
		if err == nil {
			extra++
		}
		return errors.Is(err, tarn.ErrClosed)
	})
	at.release()
	err = wait()
	var rest *tarn.UndeliveredError
	require.ErrorAs(t, err, &rest)
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, rest.Ops, 7+extra)
	for i, o := range rest.Ops[:6] {
		require.Equal(t, tarn.Op{Point: ps[2+i]}, o)
	}
	require.Equal(t, tarn.Op{Delete: true, Point: tarn.Point{ID: 1}}, rest.Ops[6])
	rest.Ops = rest.Ops[:7]
	waitAll(t, tickets[:2]) // what is in flight is awaited, the rest fails
	for _, late := range tickets[2:] {
		require.ErrorIs(t, late.Wait(soon(t)), tarn.ErrClosed)
	}
	require.Equal(t, 2, c.Len())
	st := requireCounters(t, s)
	require.Equal(t, uint64(7+extra), st.Failed)
	require.NoError(t, s.Shutdown(ctx), "nothing is handed back twice")
	require.NoError(t, s.Flush(ctx))
	s, err = c.EnableStreaming(ctx, tarn.StreamingConfig{})
	require.NoError(t, err)
	_, err = s.SendOps(ctx, rest.Ops)
	require.NoError(t, err, "what was handed back can be sent again")
	require.NoError(t, s.Flush(soon(t)))
	require.Equal(t, 7, c.Len())
}

func TestAbortHandsBackWhatWasNotWritten(t *testing.T) {
	s, c, db, path := newStream(t, tarn.StreamingConfig{FlushInterval: time.Hour}, collection.Knobs{})
	ps := points(newRand(1), 1, 5, dim)
	tickets := send(t, s, ps...)
	back := s.Abort()
	require.Len(t, back, 5)
	for i, o := range back {
		require.Equal(t, tarn.Op{Point: ps[i]}, o)
	}
	for _, ticket := range tickets {
		require.ErrorIs(t, ticket.Wait(soon(t)), tarn.ErrClosed)
	}
	require.Empty(t, s.Abort())
	_, err := s.TrySend(ps[0])
	require.ErrorIs(t, err, tarn.ErrClosed)
	require.NoError(t, s.Shutdown(ctx))
	require.NoError(t, c.Upsert(ctx, ps[0]), "an API write does not wait for what was handed back")
	c, _ = reopen(t, db, path, nil)
	require.Equal(t, 1, c.Len())
}

func TestWithoutAStreamItIsNotConfigured(t *testing.T) {
	c, db, path := newCollection(t, tarn.CollectionConfig{Dim: dim}, nil)
	_, err := c.Stream()
	require.ErrorIs(t, err, tarn.ErrNotConfigured)
	require.NoError(t, c.DisableStreaming(ctx))
	require.Equal(t, tarn.StreamStats{}, c.Stats().Stream)
	s, err := c.EnableStreaming(ctx, tarn.StreamingConfig{FlushInterval: time.Hour})
	require.NoError(t, err)
	send(t, s, points(newRand(1), 1, 3, dim)...)
	require.NoError(t, c.DisableStreaming(ctx))
	require.Equal(t, 3, c.Len(), "it is drained first")
	_, err = s.TrySend(points(newRand(1), 9, 1, dim)[0])
	require.ErrorIs(t, err, tarn.ErrClosed)
	for range 2 {
		_, err = c.Stream()
		require.ErrorIs(t, err, tarn.ErrNotConfigured)
		require.Nil(t, c.Config().Streaming)
		require.Equal(t, 3, c.Len())
		c, db = reopen(t, db, path, nil)
	}
}

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
	at := hooks.stop(t, "write: before log")
	hooks.call("write: after log", func() { panic("out of order") })
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
	hooks.call("write: after log", nil)
	back := s.Abort()
	require.Len(t, back, 16)
	for i, o := range back {
		require.Equal(t, ps[4+i].ID, o.Point.ID)
	}
}

func TestCloseLosesNothingThatWasAccepted(t *testing.T) {
	for _, mode := range []tarn.WriteMode{tarn.WriteAPI, tarn.WriteStreaming} {
		t.Run(mode.String(), func(t *testing.T) {
			c, db, path := newCollection(t, tarn.CollectionConfig{Dim: dim, WriteMode: mode,
				Streaming: &tarn.StreamingConfig{BatchSize: 64, FlushInterval: time.Hour}}, nil)
			s, err := c.Stream()
			require.NoError(t, err)
			ps := points(newRand(1), 1, 1000, dim)
			tickets := send(t, s, ps...)
			require.NoError(t, db.Close())
			waitAll(t, tickets)
			c, _ = openCollection(t, path, nil)
			require.Equal(t, len(ps), c.Len())
			for _, p := range ps {
				requirePoint(t, c, p)
			}
		})
	}
}

func TestD04_CloseWhileProducersSendLosesNothingThatWasAccepted(t *testing.T) {
	for round := range 10 {
		s, _, db, path := newStream(t, tarn.StreamingConfig{BufferSize: 50, BatchSize: 7, FlushInterval: time.Millisecond}, collection.Knobs{})
		accepted := make(chan []tarn.Point, 4)
		begun := make(chan struct{}, 4)
		for p := range 4 {
			go func() {
				r, mine := newRand(uint64(round*10+p)), []tarn.Point(nil)
				defer func() { accepted <- mine }()
				for i := uint64(0); ; i++ {
					point := tarn.Point{ID: uint64(p)<<32 | i, Vector: vector(r, dim)}
					var err error
					if p%2 == 0 {
						_, err = s.Send(ctx, point)
					} else if _, err = s.TrySend(point); errors.Is(err, tarn.ErrBufferFull) {
						continue
					}
					if err != nil {
						if !errors.Is(err, tarn.ErrClosed) {
							t.Error(err)
						}
						return
					}
					mine = append(mine, point)
					if p%2 == 0 && i == uint64(round) {
						begun <- struct{}{}
					}
				}
			}()
		}
		for range 2 { // those who wait for room: nobody overtakes them, so the others may get nothing
			<-begun
		}
		require.NoError(t, db.Close())
		c, db := openCollection(t, path, nil)
		total := 0
		for range 4 {
			for _, p := range <-accepted {
				total++
				got, err := c.Get(ctx, p.ID)
				require.NoError(t, err)
				require.Equal(t, p.Vector, got.Vector)
			}
		}
		require.Equal(t, total, c.Len())
		require.NoError(t, db.Close())
	}
}

func TestEnablingAgainDrainsTheOldStreamFirst(t *testing.T) {
	hooks := newSteps()
	old, c, _, _ := newStream(t, tarn.StreamingConfig{BatchSize: 5, FlushInterval: time.Hour}, collection.Knobs{Hook: hooks.hook})
	r := newRand(1)
	ps := points(r, 1, 12, dim)
	tickets := send(t, old, ps...)
	at := hooks.stop(t, "write: before log") // of the two points that no batch took yet, or of more
	var next *tarn.Stream
	wait := inBackground(t, func() (err error) {
		next, err = c.EnableStreaming(ctx, tarn.StreamingConfig{BatchSize: 1})
		return err
	})
	at.await()
	_, err := old.TrySend(ps[0])
	if err == nil { // EnableStreaming had not come so far
		eventually(t, "the old stream takes no more", func() bool {
			_, err := old.TrySend(ps[0])
			return errors.Is(err, tarn.ErrClosed)
		})
	}
	at.release()
	require.NoError(t, wait())
	require.NotSame(t, old, next)
	require.Equal(t, 12, c.Len(), "all that the old one accepted is there when the call returns")
	waitAll(t, tickets)
	_, err = old.TrySend(ps[0])
	require.ErrorIs(t, err, tarn.ErrClosed)
	require.NoError(t, old.Flush(ctx))
	require.NoError(t, old.Shutdown(ctx))
	moved := tarn.Point{ID: 3, Vector: vector(r, dim)}
	waitAll(t, send(t, next, moved))
	requirePoint(t, c, moved)
	require.Equal(t, 1, c.Config().Streaming.BatchSize)
}

func TestEnablingAgainThatCannotDrainLeavesTheOldStreamRunning(t *testing.T) {
	hooks := newSteps()
	old, c, db, path := newStream(t, tarn.StreamingConfig{BatchSize: 5, FlushInterval: time.Hour}, collection.Knobs{Hook: hooks.hook})
	ps := points(newRand(1), 1, 12, dim)
	at := hooks.stop(t, "write: before log")
	send(t, old, ps[:6]...)
	at.await()
	done, cancel := context.WithCancel(ctx)
	wait := inBackground(t, func() error {
		_, err := c.EnableStreaming(done, tarn.StreamingConfig{BatchSize: 1})
		return err
	})
	eventually(t, "the old stream takes no more", func() bool {
		_, err := old.TrySend(ps[5]) // the same point again and again
		return errors.Is(err, tarn.ErrClosed)
	})
	cancel()
	require.ErrorIs(t, wait(), context.Canceled)
	require.Equal(t, 5, c.Config().Streaming.BatchSize)
	tickets := send(t, old, ps[6:]...)
	same, err := c.Stream()
	require.NoError(t, err)
	require.Same(t, old, same)
	at.release()
	require.NoError(t, old.Flush(soon(t)))
	waitAll(t, tickets)
	require.Equal(t, 12, c.Len())
	c, _ = reopen(t, db, path, nil)
	require.Equal(t, 5, c.Config().Streaming.BatchSize)
}

func TestD04_EnableStreamingBesideCloseLeavesNoStreamThatTakesPoints(t *testing.T) {
	for round := range 30 {
		_, c, db, path := newStream(t, tarn.StreamingConfig{}, collection.Knobs{})
		var made []*tarn.Stream
		begun := make(chan struct{})
		wait := inBackground(t, func() error {
			for i := 0; ; i++ {
				s, err := c.EnableStreaming(ctx, tarn.StreamingConfig{BatchSize: 1 + i})
				if err != nil {
					if i <= round%3 {
						close(begun)
					}
					return err
				}
				made = append(made, s)
				if i == round%3 {
					close(begun)
				}
			}
		})
		<-begun
		require.NoError(t, db.Close())
		require.ErrorIs(t, wait(), tarn.ErrClosed)
		for _, s := range made {
			_, err := s.TrySend(points(newRand(1), 1, 1, dim)[0])
			require.ErrorIs(t, err, tarn.ErrClosed)
		}
		_, db = openCollection(t, path, nil)
		require.NoError(t, db.Close())
	}
}

func TestAStreamedPointIsSearchableBeforeDuringAndAfterARebuild(t *testing.T) {
	hooks := newSteps()
	s, c, _, _ := newStream(t, tarn.StreamingConfig{BatchSize: 4, FlushInterval: time.Millisecond}, collection.Knobs{ExactThreshold: -1, Hook: hooks.hook})
	r := newRand(1)
	var sent []tarn.Point
	stream := func(n int) {
		t.Helper()
		ps := points(r, uint64(len(sent)+1), n, dim)
		waitAll(t, send(t, s, ps...))
		sent = append(sent, ps...)
		for _, p := range sent {
			requireFound(t, c, p)
		}
	}
	stream(200)
	for _, step := range []string{"rebuild: round", "rebuild: before publication", "rebuild: after publication"} {
		at := hooks.stop(t, step)
		wait := inBackground(t, func() error { return c.Rebuild(ctx, tarn.IndexConfig{}) })
		at.await()
		stream(20)
		at.release()
		require.NoError(t, wait())
		stream(20)
	}
	require.Equal(t, int64(3), c.Stats().Rebuilds)
}

// requireFound asserts that a search for p's own vector finds it first, whichever
// way the points are searched, and not twice.
func requireFound(t testing.TB, c *tarn.Collection, p tarn.Point) {
	t.Helper()
	near, err := c.Search(ctx, p.Vector, 3)
	require.NoError(t, err)
	require.NotEmpty(t, near)
	require.Equal(t, p.ID, near[0].ID, "%v", near)
	require.Equal(t, p.Payload, near[0].Payload)
	for _, other := range near[1:] {
		require.NotEqual(t, p.ID, other.ID, "%v", near)
	}
}

func TestTheConfigurationIsPersistedByTheCallThatSetsIt(t *testing.T) {
	given := tarn.StreamingConfig{BufferSize: 99, BatchSize: 3, FlushInterval: 5 * time.Millisecond}
	c, _, path := newCollection(t, tarn.CollectionConfig{Dim: dim}, nil)
	_, err := c.EnableStreaming(ctx, given)
	require.NoError(t, err)
	killed, db := openCollection(t, crashCopy(t, path), nil)
	require.Equal(t, given, *killed.Config().Streaming)
	s, err := killed.Stream()
	require.NoError(t, err)
	waitAll(t, send(t, s, points(newRand(1), 1, 3, dim)...))
	require.NoError(t, db.Close())
	require.NoError(t, c.DisableStreaming(ctx))
	killed, _ = openCollection(t, crashCopy(t, path), nil)
	require.Nil(t, killed.Config().Streaming)
}

func TestARebuildsParametersArePersistedByTheCall(t *testing.T) {
	c, _, path := newCollection(t, tarn.CollectionConfig{Dim: dim}, nil)
	require.NoError(t, c.Upsert(ctx, points(newRand(1), 1, 50, dim)...))
	want := tarn.IndexConfig{M: 5, EfConstruction: 33, EfSearch: 44}
	require.NoError(t, c.Rebuild(ctx, want))
	require.Equal(t, want, c.Config().Index)
	killed, _ := openCollection(t, crashCopy(t, path), nil)
	require.Equal(t, want, killed.Config().Index)
	require.Equal(t, 50, killed.Len())
}

func TestTheStreamRunsAfterOpen(t *testing.T) {
	_, _, db, path := newStream(t, tarn.StreamingConfig{BatchSize: 2}, collection.Knobs{})
	c, db := reopen(t, db, path, nil)
	s, err := c.Stream()
	require.NoError(t, err)
	ps := points(newRand(1), 1, 2, dim)
	waitAll(t, send(t, s, ps...))
	c, _ = reopen(t, db, path, nil)
	for _, p := range ps {
		requirePoint(t, c, p)
	}
}

func TestWriteModeIsPersistedAndObeyed(t *testing.T) {
	hooks := newSteps()
	opts := tarn.WithKnobs(collection.Knobs{Hook: hooks.hook})
	c, db, path := newCollection(t, tarn.CollectionConfig{Dim: dim, WriteMode: tarn.WriteStreaming,
		Streaming: &tarn.StreamingConfig{FlushInterval: time.Hour}}, opts)
	ps := points(newRand(1), 1, 20, dim)
	for i := range ps {
		require.NoError(t, c.Upsert(ctx, ps[i]))
		requirePoint(t, c, ps[i]) // searchable all the same
	}
	_, err := c.Delete(ctx, 1)
	require.NoError(t, err)
	st := c.Stats()
	require.Equal(t, uint64(21), st.AppliedLSN)
	require.Zero(t, st.DurableLSN, "nothing was fsynced, the interval is an hour")
	killed, other := openCollection(t, crashCopy(t, path), nil)
	require.Equal(t, 19, killed.Len(), "a killed process loses nothing")
	require.NoError(t, other.Close())
	require.NoError(t, c.Sync(ctx))
	st = c.Stats()
	require.Equal(t, st.AppliedLSN, st.DurableLSN)
	c, _ = reopen(t, db, path, opts)
	require.Equal(t, tarn.WriteStreaming, c.Config().WriteMode)
	before := c.Stats().DurableLSN
	require.NoError(t, c.Upsert(ctx, ps[0]))
	require.Equal(t, before, c.Stats().DurableLSN)
}

func TestWriteAPIAcknowledgesWhatIsOnStableStorage(t *testing.T) {
	c, db, path := newCollection(t, tarn.CollectionConfig{Dim: dim, Streaming: &tarn.StreamingConfig{FlushInterval: time.Hour, BatchSize: 2}}, nil)
	r := newRand(1)
	for i := range uint64(20) {
		require.NoError(t, c.Upsert(ctx, points(r, i, 3, dim)...))
		st := c.Stats()
		require.Equal(t, st.AppliedLSN, st.DurableLSN)
		require.Equal(t, i+1, st.AppliedLSN)
	}
	c, _ = reopen(t, db, path, nil)
	require.Equal(t, tarn.WriteAPI, c.Config().WriteMode)
	_, err := c.Delete(ctx, 1)
	require.NoError(t, err)
	st := c.Stats()
	require.Equal(t, st.AppliedLSN, st.DurableLSN)
}

func TestWriteStreamingIsFsyncedWithinTheInterval(t *testing.T) {
	c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: dim, WriteMode: tarn.WriteStreaming}, nil)
	for i := range uint64(3) {
		require.NoError(t, c.Upsert(ctx, points(newRand(i), i, 1, dim)...))
		eventually(t, "the write is durable", func() bool { st := c.Stats(); return st.DurableLSN == st.AppliedLSN })
	}
}

func TestAShorterIntervalGovernsWritesAfterIt(t *testing.T) {
	c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: dim, WriteMode: tarn.WriteStreaming,
		Streaming: &tarn.StreamingConfig{FlushInterval: time.Hour}}, nil)
	require.NoError(t, c.Upsert(ctx, points(newRand(1), 1, 1, dim)...)) // within the hour
	_, err := c.EnableStreaming(ctx, tarn.StreamingConfig{FlushInterval: time.Millisecond})
	require.NoError(t, err)
	require.NoError(t, c.Upsert(ctx, points(newRand(2), 2, 1, dim)...)) // within the millisecond
	eventually(t, "the write is durable", func() bool { st := c.Stats(); return st.DurableLSN == st.AppliedLSN })
}

func TestATicketStandsForStableStorageInEitherMode(t *testing.T) {
	for _, mode := range []tarn.WriteMode{tarn.WriteAPI, tarn.WriteStreaming} {
		c, _, path := newCollection(t, tarn.CollectionConfig{Dim: dim, WriteMode: mode, Streaming: &tarn.StreamingConfig{BatchSize: 1, FlushInterval: time.Hour}}, nil)
		s, err := c.Stream()
		require.NoError(t, err)
		for i := range uint64(10) {
			waitAll(t, send(t, s, points(newRand(i), i, 1, dim)...))
			st := c.Stats()
			require.Equal(t, st.AppliedLSN, st.DurableLSN)
		}
		killed, _ := openCollection(t, crashCopy(t, path), nil)
		require.Equal(t, 10, killed.Len())
	}
}

func TestAnAPIWriteComesAfterWhatTheStreamAcceptedForItsID(t *testing.T) {
	s, c, _, _ := newStream(t, tarn.StreamingConfig{FlushInterval: time.Hour}, collection.Knobs{})
	r := newRand(1)
	for i := range uint64(20) {
		streamed := tarn.Point{ID: i, Vector: vector(r, dim)}
		written := tarn.Point{ID: i, Vector: vector(r, dim)}
		send(t, s, streamed)
		if i%2 == 0 {
			require.NoError(t, c.Upsert(soon(t), written))
			requirePoint(t, c, written)
			continue
		}
		n, err := c.Delete(soon(t), i)
		require.NoError(t, err)
		require.Equal(t, 1, n, "the delete finds what the stream accepted before it")
	}
	require.NoError(t, s.Flush(soon(t)))
	require.Equal(t, 10, c.Len())
}

func TestAStreamsDeleteComesInOrderWithItsSends(t *testing.T) {
	s, c, _, _ := newStream(t, tarn.StreamingConfig{FlushInterval: time.Hour, BatchSize: 1000}, collection.Knobs{})
	r := newRand(1)
	last := tarn.Point{ID: 5, Vector: vector(r, dim)}
	send(t, s, tarn.Point{ID: 5, Vector: vector(r, dim)})
	_, err := s.Delete(ctx, 5)
	require.NoError(t, err)
	send(t, s, last, tarn.Point{ID: 6, Vector: vector(r, dim)})
	_, err = s.Delete(ctx, 6)
	require.NoError(t, err)
	_, err = s.Delete(ctx, 77) // never was there
	require.NoError(t, err)
	require.NoError(t, s.Flush(soon(t)))
	require.Equal(t, 1, c.Len())
	requirePoint(t, c, last)
	require.Equal(t, uint64(6), requireCounters(t, s).Written)
}

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

func TestIngestSendsAllAndFlushes(t *testing.T) {
	s, c, _, _ := newStream(t, tarn.StreamingConfig{BufferSize: 10, BatchSize: 4, FlushInterval: time.Hour}, collection.Knobs{})
	ps := points(newRand(1), 1, 101, dim)
	seq := func(upTo int, end error) iter.Seq2[tarn.Point, error] {
		return func(yield func(tarn.Point, error) bool) {
			for _, p := range ps[:upTo] {
				if !yield(p, nil) {
					return
				}
			}
			if end != nil {
				yield(tarn.Point{}, end)
			}
		}
	}
	n, err := s.Ingest(soon(t), seq(101, nil))
	require.NoError(t, err)
	require.Equal(t, 101, n)
	require.Equal(t, 101, c.Len())
	broken := errors.New("the source is dry")
	n, err = s.Ingest(soon(t), seq(7, broken))
	require.ErrorIs(t, err, broken)
	require.Equal(t, 7, n)
}

func TestE13_WhatASendTookIsACopy(t *testing.T) {
	s, c, _, _ := newStream(t, tarn.StreamingConfig{FlushInterval: time.Hour}, collection.Knobs{})
	r := newRand(1)
	var want []tarn.Point
	for i := range uint64(8) {
		v := vector(r, dim)
		tags := []any{"a", "b"}
		p := tarn.Point{ID: i, Vector: append([]float32(nil), v...), Payload: tarn.Payload{"tags": tags}}
		want = append(want, tarn.Point{ID: i, Vector: v, Payload: tarn.Payload{"tags": []any{"a", "b"}}})
		var err error
		switch i % 4 {
		case 0:
			_, err = s.TrySend(p)
		case 1:
			_, err = s.Send(ctx, p)
		case 2:
			_, _, err = s.TrySendBatch([]tarn.Point{p})
		case 3:
			_, err = s.SendBatch(ctx, []tarn.Point{p}, tarn.From("a", i))
		}
		require.NoError(t, err)
		clear(p.Vector)
		tags[0] = "changed"
		p.Payload["more"] = 1
	}
	require.NoError(t, s.Flush(soon(t)))
	for _, p := range want {
		requirePoint(t, c, p)
	}
}

func TestTicketsOfOneBatchAndTheZeroTicket(t *testing.T) {
	require.NoError(t, tarn.Ticket{}.Wait(ctx))
	s, c, _, _ := newStream(t, tarn.StreamingConfig{FlushInterval: time.Hour}, collection.Knobs{})
	ticket, err := s.SendBatch(ctx, points(newRand(1), 1, 300, dim))
	require.NoError(t, err)
	done, cancel := context.WithCancel(ctx)
	cancel()
	if err := ticket.Wait(done); err != nil {
		require.ErrorIs(t, err, context.Canceled)
	}
	require.NoError(t, s.Flush(soon(t)))
	require.NoError(t, ticket.Wait(ctx))
	require.NoError(t, ticket.Wait(done), "a decided ticket does not ask its context")
	require.Equal(t, 300, c.Len())
	empty, err := s.SendBatch(ctx, nil)
	require.NoError(t, err)
	require.NoError(t, empty.Wait(ctx))
}

func TestDroppingACollectionEndsItsStream(t *testing.T) {
	s, _, db, _ := newStream(t, tarn.StreamingConfig{FlushInterval: time.Hour}, collection.Knobs{})
	tickets := send(t, s, points(newRand(1), 1, 3, dim)...)
	require.NoError(t, db.DropCollection(ctx, "test"))
	for _, ticket := range tickets {
		require.ErrorIs(t, ticket.Wait(soon(t)), tarn.ErrClosed)
	}
	_, err := s.TrySend(points(newRand(1), 1, 1, dim)[0])
	require.ErrorIs(t, err, tarn.ErrClosed)
}

func TestManyStreamsOfOneDatabaseKeepTheirPointsApart(t *testing.T) {
	db, path := newDB(t, nil)
	for i := range 4 {
		c, err := db.CreateCollection(ctx, fmt.Sprint("c", i), tarn.CollectionConfig{Dim: dim, Streaming: &tarn.StreamingConfig{BatchSize: 3 + i}})
		require.NoError(t, err)
		s, err := c.Stream()
		require.NoError(t, err)
		send(t, s, points(newRand(uint64(i)), uint64(i*1000), 50+i, dim)...)
	}
	require.NoError(t, db.Close())
	db, err := tarn.Open(path, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	for i, name := range db.Collections() {
		c, err := db.Collection(name)
		require.NoError(t, err)
		require.Equal(t, 50+i, c.Len())
		for p, err := range c.All(ctx) {
			require.NoError(t, err)
			require.Equal(t, uint64(i), p.ID/1000)
		}
	}
}
