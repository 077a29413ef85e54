package meta

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tarndb/tarn/internal/vfs"
)

// fdOf returns the descriptor through which bbolt writes the file.
func fdOf(t *testing.T, path string) int {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && to == path {
			var fd int
			for _, c := range filepath.Base(link) {
				fd = fd*10 + int(c-'0')
			}
			return fd
		}
	}
	require.FailNow(t, "file is not open", path)
	return 0
}

// replaceFD makes bbolt's descriptor mean another file until the returned
// function is called: bbolt writes without asking vfs, so errors are put under it.
func replaceFD(t *testing.T, path, by string) (restore func()) {
	t.Helper()
	fd := fdOf(t, path)
	saved, err := unix.Dup(fd)
	require.NoError(t, err)
	f, err := os.OpenFile(by, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, unix.Dup3(int(f.Fd()), fd, unix.O_CLOEXEC))
	return func() {
		require.NoError(t, unix.Dup3(saved, fd, unix.O_CLOEXEC))
		require.NoError(t, unix.Close(saved))
	}
}

func TestB05_ACommitOnAFullDiskLeavesEverythingAndWorksLater(t *testing.T) {
	dir := disk(t)
	s := newStore(t, dir)
	require.NoError(t, s.Commit(Update{Payloads: bySlot(map[uint32][]byte{1: []byte("one")}), Positions: map[string]uint64{"a": 1}}))
	restore := replaceFD(t, dir.Path(name), "/dev/full")
	u := Update{
		Checkpoint: &Checkpoint{LSN: 5, Slots: 10, Live: set(1, 2)},
		Payloads:   bySlot(map[uint32][]byte{1: []byte("two"), 2: []byte("new")}),
		Positions:  map[string]uint64{"a": 2},
		Config:     []byte("changed"),
	}
	for range 3 {
		err := s.Commit(u)
		require.ErrorIs(t, err, vfs.ErrNoSpace)
		require.NotErrorIs(t, err, vfs.ErrFailed)
	}
	p, err := s.Payload(1)
	require.NoError(t, err)
	require.Equal(t, "one", string(p))
	restore()
	c, err := s.Checkpoint()
	require.NoError(t, err)
	require.Zero(t, c.LSN)

	require.NoError(t, s.Commit(u), "space was made")
	s = reopen(t, s)
	p, err = s.Payload(2)
	require.NoError(t, err)
	require.Equal(t, "new", string(p))
}

func TestB05_AFileThatMayNotGrowIsAFullDisk(t *testing.T) {
	dir := disk(t)
	s := newStore(t, dir)
	big := Update{Payloads: bySlot(map[uint32][]byte{7: make([]byte, 32<<20)})}
	var old unix.Rlimit // of the whole process: go test's own files stay well below
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_FSIZE, &old))
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 16 << 20, Max: old.Max}))
	err := s.Commit(big)
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &old))
	require.ErrorIs(t, err, vfs.ErrNoSpace)
	require.NoError(t, s.Commit(big))
	p, err := reopen(t, s).Payload(7)
	require.NoError(t, err)
	require.Len(t, p, 32<<20)
}

// Writes to the null device vanish, and it cannot be synced.
func TestB01_B02_AFailedCommitIsFinalAndNotTriedAgain(t *testing.T) {
	dir := disk(t)
	s := newStore(t, dir)
	restore := replaceFD(t, dir.Path(name), "/dev/null")
	err := s.Commit(Update{Config: []byte("lost")})
	require.ErrorIs(t, err, vfs.ErrFailed)
	restore()
	require.ErrorIs(t, s.Commit(Update{Config: []byte("later")}), vfs.ErrFailed)
	require.NoError(t, s.Close())
	again, err := Open(dir, name, false)
	closeLater(t, again, err)
	cfg, err := again.Config()
	require.NoError(t, err)
	require.Equal(t, `{"dim":3}`, string(cfg))
}

func TestB07_AFileCutShortUnderItsMapIsAnError(t *testing.T) {
	dir := disk(t)
	s := newStore(t, dir)
	put := map[uint32][]byte{}
	u := Update{Payloads: bySlot(put)}
	for slot := range uint32(5000) {
		put[slot] = make([]byte, 100)
	}
	require.NoError(t, s.Commit(u))
	require.NoError(t, os.Truncate(dir.Path(name), 8192))
	_, err := s.Payload(4000)
	require.ErrorIs(t, err, vfs.ErrFault)
	require.NoError(t, os.Truncate(dir.Path(name), 0))
	_, err = s.Payload(4000)
	require.ErrorIs(t, err, vfs.ErrFault)
	require.Error(t, s.Commit(Update{Config: []byte("x")}))
	_ = s.Close() // may say that bbolt is not called again
}
