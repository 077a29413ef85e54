package tarn_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

// everyBlock returns a small backup that has each kind of block: a graph with dead
// points, keys, payloads, a declared field, places in sources, a second collection.
func everyBlock(t testing.TB) []byte {
	t.Helper()
	c, db, _ := newCollection(t, tarn.CollectionConfig{Dim: 4, Keys: tarn.StringKeys, Fields: []string{"n"}}, tarn.WithKnobs(graphOnly))
	r := newRand(3)
	for i := range 12 {
		p := tarn.Point{Key: fmt.Sprint("key ", i), Vector: vector(r, 4)}
		if i%2 == 0 {
			p.Payload = tarn.Payload{"n": int64(i)}
		}
		require.NoError(t, c.Upsert(ctx, p))
	}
	require.NoError(t, c.Rebuild(ctx, tarn.IndexConfig{}))
	_, err := c.DeleteKeys(ctx, "key 3", "key 4")
	require.NoError(t, err)
	s, err := c.EnableStreaming(ctx, tarn.DefaultStreamingConfig())
	require.NoError(t, err)
	ticket, err := s.SendBatch(ctx, []tarn.Point{{Key: "key 12", Vector: vector(r, 4)}}, tarn.From("feed", 7))
	require.NoError(t, err)
	require.NoError(t, ticket.Wait(ctx))
	other, err := db.CreateCollection(ctx, "test-2", tarn.CollectionConfig{Dim: 2, Metric: tarn.L2})
	require.NoError(t, err)
	require.NoError(t, other.Upsert(ctx, tarn.Point{ID: 1, Vector: []float32{1, 2}}))
	return backup(t, db)
}

// TestABackupCutShortOrFlippedIsRefusedAndLeavesNothing tries some lengths and bytes;
// TARN_FLIP_STEP=1 tries every length, and every bit of every byte.
func TestABackupCutShortOrFlippedIsRefusedAndLeavesNothing(t *testing.T) {
	data := everyBlock(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "copy")
	tried := 0
	refuse := func(bad []byte, what string, at int) {
		tried++
		err := tarn.Restore(ctx, path, bytes.NewReader(bad))
		if !errors.Is(err, tarn.ErrCorrupt) && !errors.Is(err, tarn.ErrVersion) {
			t.Fatalf("%s %d of %d: %v", what, at, len(data), err)
		}
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left, "%s %d", what, at)
	}
	step := fromEnv("TARN_FLIP_STEP", unlessShort(149, 499))
	for n := 0; n < len(data); n += step {
		refuse(data[:n], "cut at", n)
	}
	for bit := 0; bit < 8*len(data); bit += step {
		bad := bytes.Clone(data)
		bad[bit/8] ^= 1 << (bit % 8)
		refuse(bad, "flipped at bit", bit)
	}
	refuse(append(bytes.Clone(data), 'x'), "something behind", len(data))
	t.Logf("a backup of %d bytes: %d wrong ones refused", len(data), tried)
	require.NoError(t, tarn.Restore(ctx, path, bytes.NewReader(data)))
}
