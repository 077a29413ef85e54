package tarn_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
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
