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

func TestTrySendCopiesTheVectorAndAllocatesNothingElse(t *testing.T) {
	const n = 2_000
	k := still
	k.ExactThreshold = -1
	s, c, _, _ := newStream(t, tarn.StreamingConfig{BufferSize: 4 * n, BatchSize: 8 * n, FlushInterval: time.Hour}, k)
	ps := points(newRand(1), 0, n, dim)
	i := 0
	one := func() {
		p := ps[i%n]
		p.Payload = nil
		if _, err := s.TrySend(p); err != nil {
			t.Fatal(err)
		}
		i++
	}
	for range n { // the queue's chunks and the counts of ids are there now
		one()
	}
	require.NoError(t, s.Flush(soon(t)))
	require.LessOrEqual(t, testing.AllocsPerRun(n, one), 1.0)
	require.NoError(t, s.Flush(soon(t)))
	require.Equal(t, n, c.Len())
}
