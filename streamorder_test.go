package tarn_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

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
