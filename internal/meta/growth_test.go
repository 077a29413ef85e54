package meta

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/vfs"
)

// onDisk returns a new store in a folder of the system's.
func onDisk(t *testing.T) (vfs.FS, *Store) {
	t.Helper()
	dir, err := vfs.OS(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dir.Close()) })
	s, err := Create(dir, "meta.db", []byte("cfg"), [16]byte{1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return dir, s
}

// TestAFileGrowsWithWhatIsInIt has much of it mapped from the start.
func TestAFileGrowsWithWhatIsInIt(t *testing.T) {
	if mapAtFirst() == 0 {
		t.Skip("a mapping is as long as its file")
	}
	_, s := onDisk(t)
	require.LessOrEqual(t, s.Bytes(), int64(128<<10), "a new one")
	written := int64(0)
	for slot := uint32(0); slot < 20_000; {
		some := map[uint32][]byte{}
		for range 2_000 {
			some[slot] = bytes.Repeat([]byte{1}, 200)
			written += 200
			slot++
		}
		require.NoError(t, s.Commit(Update{Payloads: bySlot(some)}))
		require.Less(t, s.Bytes(), 4*written+128<<10, "after %d payloads", slot)
	}
}

// TestACommitIsNotCopiedBecauseItsFileGrows counts what a commit of many payloads allocates.
// If the mapping had to grow with the file, each would be copied at each doubling.
func TestACommitIsNotCopiedBecauseItsFileGrows(t *testing.T) {
	if mapAtFirst() == 0 {
		t.Skip("a mapping is as long as its file")
	}
	const n = 10_000
	_, s := onDisk(t)
	slot := uint32(0)
	allocs := testing.AllocsPerRun(1, func() {
		some := map[uint32][]byte{}
		for range n {
			some[slot] = make([]byte, 200)
			slot++
		}
		require.NoError(t, s.Commit(Update{Payloads: bySlot(some)}))
	})
	require.Less(t, allocs, 8.0*n, "6.1 as it is, 10.5 with a mapping that grows")
}
