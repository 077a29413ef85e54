package vecfile

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/bitmap"
)

func TestI2_ShrinkRemovesChunksAndLeavesTheirMemoryReadable(t *testing.T) {
	dir := disk(t)
	s, err := Open(dir, Config{Dim: 3, UUID: testUUID, ChunkSlots: 4}, 0)
	require.NoError(t, err)
	require.NoError(t, s.Reserve(16))
	for slot := range uint32(16) {
		x := float32(slot)
		require.NoError(t, s.Write([]Entry{{Slot: slot, ID: 1, LSN: 1, Vector: []float32{x, x, x}}}))
	}
	old := s.Vectors()
	require.NoError(t, s.Shrink(5))
	require.Equal(t, uint32(8), s.Reserved())
	entries, err := dir.List(".")
	require.NoError(t, err)
	require.Len(t, entries, 2*3)
	_ = old.Float32s(15, 3)[2] // a reader that came before reads on, whatever it reads

	v, err := s.Vector(7, nil)
	require.NoError(t, err)
	require.Equal(t, []float32{7, 7, 7}, v)
	require.NoError(t, s.Reserve(16))
	require.NoError(t, s.Write([]Entry{{Slot: 12, ID: 1, LSN: 99, Vector: []float32{1, 2, 3}}}))
	require.NoError(t, s.Sync())
	v, err = s.Vector(12, nil)
	require.NoError(t, err)
	require.Equal(t, []float32{1, 2, 3}, v)

	// What another process left beyond goes too.
	require.NoError(t, s.Close())
	s, err = Open(dir, Config{Dim: 3, UUID: testUUID, ChunkSlots: 4}, 3)
	require.NoError(t, err)
	require.NoError(t, s.Shrink(3))
	entries, err = dir.List(".")
	require.NoError(t, err)
	require.Len(t, entries, 3)
	require.NoError(t, s.Shrink(0))
	require.Zero(t, s.Reserved())
	require.NoError(t, s.Close())
}

func TestNamesOfChunksAreReadExactly(t *testing.T) {
	for _, name := range []string{"00000001.vec", "000000ff.code", "00000000.side"} {
		_, ok := chunkOf(name)
		require.True(t, ok, name)
	}
	for _, name := range []string{"1.vec", "00000001.VEC", "000000FF.code", "00000001.vec.tmp", "x0000001.vec", ".vec", "0000000100.vec"} {
		_, ok := chunkOf(name)
		require.False(t, ok, name)
	}
}

// Reserve and Shrink change how many slots there are and where they lie one after the
// other; a scan may look between.
func TestAScanBetweenTheTwoHalvesOfAShrinkEndsWhereTheChunksDo(t *testing.T) {
	s, err := Open(disk(t), Config{Dim: 3, UUID: testUUID, ChunkSlots: 4}, 0)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	require.NoError(t, s.Reserve(16))
	var live bitmap.Set
	for slot := range uint32(16) {
		live.Add(slot)
		require.NoError(t, s.Write([]Entry{{Slot: slot, ID: uint64(slot), LSN: 1, Vector: []float32{1, 2, 3}}}))
	}
	require.NoError(t, s.Shrink(5))
	s.reserved.Store(16)
	var seen []uint64
	require.NoError(t, s.ScanIDs(&live, 0, 16, func(_ uint32, id uint64) bool {
		seen = append(seen, id)
		return true
	}))
	require.Equal(t, []uint64{0, 1, 2, 3, 4, 5, 6, 7}, seen)
	s.reserved.Store(8)
}

// A chunk that Shrink removed while a Verify went on is made again by Reserve: there is
// an instant at which its file has no header yet.
func TestVerifyLooksAtNoFileThatIsBeingMadeAgain(t *testing.T) {
	dir := disk(t)
	s := open(t, dir, Config{Dim: 3, UUID: testUUID, ChunkSlots: 4}, 0)
	require.NoError(t, s.Reserve(8))
	f := s.chunks[1].files[vectors] // of which a Verify knows
	require.NoError(t, s.Shrink(4))
	h, err := dir.Create(f.name) // as Reserve does
	require.NoError(t, err)
	require.NoError(t, h.Close())
	s.verifyHeader(f, func(found Finding) { t.Error(found) })
}
