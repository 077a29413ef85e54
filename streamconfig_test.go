package tarn_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

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
		require.ErrorContains(t, err, "at most 1h0m0s")
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
