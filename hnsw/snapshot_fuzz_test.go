package hnsw

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/kernel"
)

// smallSnapshot returns the rows of a graph, and the snapshot of a part of it.
func smallSnapshot(t testing.TB) (*memory, Config, []byte) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	base := make([][]float32, 90)
	for i := range base {
		base[i] = []float32{r.Float32(), r.Float32(), r.Float32(), r.Float32()}
	}
	cfg := Config{Dim: 4, Metric: kernel.L2, M: 4, EfConstruction: 16, Seed: 3}
	m := newMemory(cfg, base)
	g, err := New(cfg, m)
	require.NoError(t, err)
	for slot := range uint32(60) {
		require.NoError(t, g.Insert(context.Background(), slot))
	}
	var out bytes.Buffer
	_, err = g.Save(&out, [16]byte{1})
	require.NoError(t, err)
	return m, cfg, out.Bytes()
}

// reseal makes all checksums of a snapshot right, so that what is behind them is
// looked at, and returns the one that stands for all.
func reseal(data []byte) uint32 {
	le := binary.LittleEndian
	le.PutUint32(data[fieldEndV1:], codec.CRC(data[:fieldEndV1]))
	h, err := parseHeadV1(data, [16]byte{1})
	if err != nil {
		return 0
	}
	l := h.layout()
	for off := int64(0); off < l.sums; off += blockV1 {
		le.PutUint32(data[l.sums+off/blockV1*4:], codec.CRC(data[off:min(off+blockV1, l.sums)]))
	}
	crc := codec.CRC(data[l.sums : l.end-4])
	le.PutUint32(data[l.end-4:], crc)
	return crc
}

// FuzzLoad is C12: a snapshot whose checksums are right and whose content is not.
// It is refused, or may cost recall and nothing else.
func FuzzLoad(f *testing.F) {
	m, cfg, whole := smallSnapshot(f)
	for _, at := range []uint32{48, 56, 72, 76, 80, 84, 88, 4096, 4160} {
		for _, v := range []uint32{0, 1, 61, 1 << 20, 1<<32 - 1} {
			f.Add(at, v, uint32(4200), v, uint32(8192), v)
		}
	}
	f.Fuzz(func(t *testing.T, a, av, b, bv, c, cv uint32) {
		data := slices.Clone(whole)
		for _, patch := range [][2]uint32{{a, av}, {b, bv}, {c, cv}} {
			binary.LittleEndian.PutUint32(data[int(patch[0])%(len(data)-3):], patch[1])
		}
		crc := reseal(data)
		g, err := Load(data, [16]byte{1}, crc, cfg, m)
		if err != nil {
			require.True(t, errors.Is(err, codec.ErrCorrupt) || errors.Is(err, codec.ErrVersion), "%v", err)
			return
		}
		var q kernel.Query
		q.Set(kernel.L2, []float32{0.5, 0.5, 0.5, 0.5})
		got, err := g.Search(context.Background(), &q, 10, 40, nil, nil, nil)
		require.NoError(t, err)
		seen := map[uint32]bool{}
		for i, r := range got {
			require.Less(t, r.Slot, uint32(90))
			require.False(t, seen[r.Slot], "slot %d twice", r.Slot)
			seen[r.Slot] = true
			require.True(t, i == 0 || got[i-1].Dist <= r.Dist)
		}
		for slot := uint32(60); slot < 66; slot++ {
			require.NoError(t, g.Insert(context.Background(), slot))
		}
		g.Unreachable(nil)
		var again bytes.Buffer
		_, err = g.Save(&again, [16]byte{1})
		require.NoError(t, err)
	})
}

func TestC11_C12_EveryFlippedBitOfASnapshotIsRefused(t *testing.T) {
	m, cfg, whole := smallSnapshot(t)
	crc := binary.LittleEndian.Uint32(whole[len(whole)-4:])
	_, err := Load(slices.Clone(whole), [16]byte{1}, crc, cfg, m)
	require.NoError(t, err)
	for at := range whole {
		data := slices.Clone(whole)
		data[at] ^= 1 << (at % 8)
		if _, err := Load(data, [16]byte{1}, crc, cfg, m); err == nil {
			t.Fatalf("byte %d of %d is changed and nobody sees it", at, len(whole))
		}
	}
	for n := 0; n < len(whole); n += 97 {
		_, err := Load(slices.Clone(whole[:n]), [16]byte{1}, crc, cfg, m)
		require.Error(t, err, "cut at %d", n)
	}
}
