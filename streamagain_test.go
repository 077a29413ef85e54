package tarn_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

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
