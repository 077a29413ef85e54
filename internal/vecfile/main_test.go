package vecfile

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/kernel"
	"github.com/tarndb/tarn/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testUUID = [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}

// config is a small store: 20 components (rows are padded), 64 slots a chunk.
func config() Config {
	return Config{Dim: 20, Metric: kernel.Cosine, UUID: testUUID, ChunkSlots: 64}
}

// disk returns a real folder.
func disk(t testing.TB) vfs.FS {
	t.Helper()
	dir, err := vfs.OS(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dir.Close()) })
	return dir
}

// onDisk returns the size of all files of a folder.
func onDisk(t testing.TB, dir vfs.FS) (size int64) {
	t.Helper()
	entries, err := dir.List(".")
	require.NoError(t, err)
	for _, e := range entries {
		size += e.Size
	}
	return size
}

func open(t testing.TB, dir vfs.FS, cfg Config, slots uint32) *Store {
	t.Helper()
	s, err := Open(dir, cfg, slots)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// point is the entry that the tests put into a slot, a function of its
// arguments.
func point(slot uint32, lsn uint64, dim int) Entry {
	r := rand.New(rand.NewPCG(uint64(slot), lsn))
	e := Entry{Slot: slot, ID: r.Uint64(), LSN: lsn, Payload: r.IntN(2) == 0, Vector: make([]float32, dim)}
	for i := range e.Vector {
		e.Vector[i] = float32(r.NormFloat64())
	}
	return e
}

func points(from, to uint32, lsn uint64, dim int) []Entry {
	var all []Entry
	for slot := from; slot < to; slot++ {
		all = append(all, point(slot, lsn, dim))
	}
	return all
}

func fill(t testing.TB, s *Store, from, to uint32, lsn uint64) []Entry {
	t.Helper()
	all := points(from, to, lsn, s.cfg.Dim)
	require.NoError(t, s.Reserve(to))
	require.NoError(t, s.Write(all))
	return all
}

func all(n uint32) *bitmap.Set {
	var set bitmap.Set
	for slot := range n {
		set.Add(slot)
	}
	return &set
}

// requireHolds fails unless the store has exactly the entries in their slots.
func requireHolds(t testing.TB, s *Store, entries []Entry) {
	t.Helper()
	for _, e := range entries {
		require.Equal(t, e.ID, s.ID(e.Slot))
		require.Equal(t, e.LSN, s.LSN(e.Slot))
		require.Equal(t, e.Payload, s.HasPayload(e.Slot))
		require.NoError(t, s.Check([]uint32{e.Slot}))
		got, err := s.Vector(e.Slot, nil)
		require.NoError(t, err)
		require.Equal(t, e.Vector, got)
		want := make([]byte, kernel.CodeStride(len(e.Vector)))
		kernel.EncodeCode(s.cfg.Metric, e.Vector, want)
		require.Equal(t, want, s.Codes().Bytes(e.Slot))
	}
}
