package tarn_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
	"github.com/tarndb/tarn/internal/vfs"
)

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

func TestD14_CloseWithAFullQueueWritesAllOfIt(t *testing.T) {
	dir := t.TempDir()
	ps := points(newRand(1), 1, 500, dim)
	var accepted int
	synctest.Test(t, func(t *testing.T) {
		s, _, db, disk := onDisk(t, dir, tarn.StreamingConfig{BufferSize: 100, BatchSize: 10, FlushInterval: time.Hour}, still)
		disk.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpSyncData}, When: ofTheLog, Delay: 30 * time.Millisecond})
		for _, p := range ps { // until it is full
			if _, err := s.TrySend(p); err != nil {
				require.ErrorIs(t, err, tarn.ErrBufferFull)
				break
			}
			accepted++
		}
		late := make(chan error)
		go func() { // one who waits for room is turned away
			_, err := s.Send(ctx, ps[400])
			late <- err
		}()
		synctest.Wait()
		require.NoError(t, db.Close())
		require.ErrorIs(t, <-late, tarn.ErrClosed)
		st := requireCounters(t, s)
		require.EqualValues(t, accepted, st.Written)
	})
	c, _ := openCollection(t, dir, nil)
	require.Equal(t, accepted, c.Len())
	for _, p := range ps[:accepted] {
		requirePoint(t, c, p)
	}
}

func TestAbortBesideProducersHandsBackExactlyWhatIsNotStored(t *testing.T) {
	for round := range 10 {
		s, c, _, _ := newStream(t, tarn.StreamingConfig{BufferSize: 50, BatchSize: 7, FlushInterval: time.Millisecond}, collection.Knobs{})
		accepted := make(chan []uint64, 3)
		for p := range uint64(3) {
			go func() {
				var mine []uint64
				r := newRand(p)
				for i := uint64(0); ; i++ {
					point := tarn.Point{ID: p<<32 | i, Vector: vector(r, dim)}
					if _, err := ways[p](s, point); err != nil {
						accepted <- mine
						return
					}
					mine = append(mine, point.ID)
				}
			}()
		}
		eventually(t, "points come", func() bool { return s.Stats().Written > uint64(20*round) })
		var got []uint64
		back := map[uint64]bool{}
		for _, o := range s.Abort() {
			back[o.Point.ID] = true
			got = append(got, o.Point.ID)
		}
		for p, err := range c.All(ctx) {
			require.NoError(t, err)
			require.False(t, back[p.ID], "stored and handed back")
			got = append(got, p.ID)
		}
		var want []uint64
		for range 3 {
			want = append(want, <-accepted...)
		}
		slices.Sort(want)
		slices.Sort(got)
		require.Equal(t, want, got)
		requireCounters(t, s)
	}
}

func TestWhatIsHandedBackIsWhatWasSentThoughCopiesAreFilledAgain(t *testing.T) {
	s, c, _, _ := newStream(t, tarn.StreamingConfig{BatchSize: 1000, FlushInterval: time.Hour}, collection.Knobs{})
	ps := points(newRand(1), 1, 120, dim)
	for from := 0; from < 80; from += 40 { // the second forty are copied to where the first were
		send(t, s, ps[from:from+40]...)
		require.NoError(t, s.Flush(ctx))
	}
	send(t, s, ps[80:]...)
	back := s.Abort()
	require.Len(t, back, 40)
	for i, o := range back {
		require.Equal(t, ps[80+i].Vector, o.Point.Vector)
	}
	for _, p := range ps[:80] {
		requirePoint(t, c, p)
	}
}
