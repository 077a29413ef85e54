package tarn_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
	"github.com/tarndb/tarn/internal/vfs"
)

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

func TestWriteStreamingIsNeverOlderThanTheIntervalWhenItIsFsynced(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		const interval = 100 * time.Millisecond
		db, disk, err := tarn.OpenInjected(dir, tarn.WithKnobs(still))
		require.NoError(t, err)
		c, err := db.CreateCollection(ctx, "test", tarn.CollectionConfig{Dim: dim, WriteMode: tarn.WriteStreaming,
			Streaming: &tarn.StreamingConfig{FlushInterval: interval}})
		require.NoError(t, err)
		disk.Add(&vfs.Fault{Ops: []vfs.Op{vfs.OpSyncData}, When: ofTheLog, Delay: 20 * time.Millisecond})
		begun := time.Now()
		var acknowledged []time.Duration
		for i := range uint64(200) {
			require.NoError(t, c.Upsert(ctx, points(newRand(i), i, 1, dim)...))
			acknowledged = append(acknowledged, time.Since(begun))
			time.Sleep(7 * time.Millisecond)
			durable := c.Stats().DurableLSN
			for n, at := range acknowledged {
				if time.Since(begun)-at > interval {
					require.Greater(t, durable, uint64(n), "write %d is %v old and not fsynced", n+1, time.Since(begun)-at)
				}
			}
		}
		require.Less(t, disk.Calls(vfs.OpSyncData), 50, "many writes share an fsync")
		require.NoError(t, db.Close())
	})
}
