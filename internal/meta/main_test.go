package meta

import (
	"iter"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const name = "meta.db"

var testUUID = [16]byte{16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}

// disk returns a real folder.
func disk(t testing.TB) vfs.FS {
	t.Helper()
	dir, err := vfs.OS(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dir.Close()) })
	return dir
}

func closeLater(t testing.TB, s *Store, err error) *Store {
	t.Helper()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func newStore(t testing.TB, dir vfs.FS) *Store {
	t.Helper()
	s, err := Create(dir, name, []byte(`{"dim":3}`), testUUID)
	return closeLater(t, s, err)
}

func reopen(t testing.TB, s *Store) *Store {
	t.Helper()
	require.NoError(t, s.Close())
	again, err := Open(s.dir, s.name, false)
	return closeLater(t, again, err)
}

func set(slots ...uint32) *bitmap.Set {
	var b bitmap.Set
	for _, slot := range slots {
		b.Add(slot)
	}
	return &b
}

// bySlot returns payloads as an Update has them.
func bySlot(m map[uint32][]byte) iter.Seq2[uint32, []byte] {
	return func(yield func(uint32, []byte) bool) {
		for _, slot := range slices.Sorted(maps.Keys(m)) {
			if !yield(slot, m[slot]) {
				return
			}
		}
	}
}
