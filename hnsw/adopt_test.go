package hnsw

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/codec"
)

func TestAnAdoptedSnapshotBelongsToItsNewUUIDOnly(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	base := make([][]float32, 1_000)
	for i := range base {
		base[i] = []float32{r.Float32(), r.Float32(), r.Float32(), r.Float32()}
	}
	cfg := Config{Dim: 4}
	src := newMemory(cfg, base)
	g, err := New(cfg, src)
	require.NoError(t, err)
	for slot := range base {
		require.NoError(t, g.Insert(context.Background(), uint32(slot)))
	}
	from, to := [16]byte{1}, [16]byte{2}
	var out bytes.Buffer
	saved, err := g.Save(&out, from)
	require.NoError(t, err)

	for bit := range 200 { // flipped anywhere: refused
		bad := bytes.Clone(out.Bytes())
		at := bit * (len(bad) - 1) / 200
		bad[at] ^= 1 << (bit % 8)
		_, err := Adopt(bad, saved.CRC, from, to)
		require.Error(t, err, "byte %d", at)
	}
	data := bytes.Clone(out.Bytes())
	_, err = Adopt(data, saved.CRC+1, from, to)
	require.ErrorIs(t, err, codec.ErrCorrupt)
	_, err = Adopt(data, saved.CRC, to, to)
	require.ErrorIs(t, err, codec.ErrCorrupt)

	adopted, err := Adopt(data, saved.CRC, from, to)
	require.NoError(t, err)
	require.Equal(t, saved.Slots, adopted.Slots)
	require.NoError(t, Check(data, to, adopted.CRC))
	_, err = Load(data, from, saved.CRC, cfg, src)
	require.ErrorIs(t, err, codec.ErrCorrupt)
	again, err := Load(data, to, adopted.CRC, cfg, src)
	require.NoError(t, err)
	require.Equal(t, g.Len(), again.Len())
}
