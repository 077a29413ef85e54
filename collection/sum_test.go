package collection

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

func TestWhatAStreamTakesIsACopyWithItsOwnChecksum(t *testing.T) {
	c := openMem(t, vfs.NewMem(), Knobs{})
	s, err := c.EnableStreaming(t.Context(), StreamingConfig{})
	require.NoError(t, err)
	p := Point{ID: 1, Vector: []float32{1, 2, 3, 4}}
	single, err := s.newItem(&p)
	require.NoError(t, err)
	batch, err := s.newItems([]Op{{Point: p}, {Delete: true, Point: Point{ID: 2}}})
	require.NoError(t, err)
	want, _ := vfs.Bytes([]float32{1, 2, 3, 4})
	p.Vector[0] = 9 // the caller's own
	for _, it := range []item{single, batch[0]} {
		got, _ := vfs.Bytes(it.op.vector)
		require.Equal(t, want, got)
		require.Equal(t, codec.SumOf(want), it.op.sum)
	}
	require.False(t, batch[1].op.sum.Known)
}

func TestAVectorThatChangesWhileItWaitsIsDamageAndNotWhatWasSent(t *testing.T) {
	disk := vfs.NewMem()
	c := openMem(t, disk, Knobs{})
	s, err := c.EnableStreaming(t.Context(), StreamingConfig{})
	require.NoError(t, err)
	it, err := s.newItem(&Point{ID: 1, Vector: make([]float32, c.config.Dim)})
	require.NoError(t, err)
	it.op.vector[1] = 7
	require.NoError(t, s.flush(t.Context(), []item{it}))
	require.NoError(t, s.durable()())
	require.NoError(t, c.Close())
	_, err = Open(Options{Name: "test", FS: disk, MaxPayload: 1000, MaxK: 100})
	require.ErrorIs(t, err, codec.ErrCorrupt)
}
