package vfs

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func newOS(t *testing.T) (FS, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a", "b")
	f, err := CreateOS(dir)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f, dir
}

func TestAFileKeepsWhatIsWrittenAndAllocatedBytesAreZeros(t *testing.T) {
	d, path := newOS(t)
	f, err := d.Create("x")
	require.NoError(t, err)
	defer f.Close()
	_, err = f.WriteAt([]byte("abc"), 0)
	require.NoError(t, err)
	require.NoError(t, f.Allocate(0, 100_000))
	size, err := f.Size()
	require.NoError(t, err)
	require.EqualValues(t, 100_000, size)
	got := make([]byte, 6)
	_, err = f.ReadAt(got, 0)
	require.NoError(t, err)
	require.Equal(t, "abc\x00\x00\x00", string(got))
	require.NoError(t, f.Sync())
	require.NoError(t, f.SyncData())
	require.NoError(t, d.SyncDir("."))
	require.NoError(t, f.DropCache())
	info, err := os.Stat(filepath.Join(path, "x"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	_, err = d.Create("x")
	require.ErrorIs(t, err, fs.ErrExist)
}

func TestAMappingSeesWritesAndMayReachPastTheEnd(t *testing.T) {
	d, _ := newOS(t)
	f, err := d.Create("x")
	require.NoError(t, err)
	defer f.Close()
	_, err = f.WriteAt([]byte("abcd"), 0)
	require.NoError(t, err)
	m, err := f.Map(0, 1<<20, MapRead)
	require.NoError(t, err)
	defer m.Close()
	require.Equal(t, "abcd", string(m.Bytes()[:4]))
	require.NoError(t, f.Allocate(0, 1<<20))
	_, err = f.WriteAt([]byte("late"), 1<<20-4)
	require.NoError(t, err)
	require.Equal(t, "late", string(m.Bytes()[1<<20-4:]))
	own, err := f.Map(0, 1<<20, MapCopy)
	require.NoError(t, err)
	defer own.Close()
	own.Bytes()[0] = 'X'
	require.Equal(t, "abcd", string(m.Bytes()[:4]))
}

func TestB07_AFileCutUnderItsMappingIsAFaultNotASignal(t *testing.T) {
	d, path := newOS(t)
	f, err := d.Create("x")
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.Allocate(0, 1<<20))
	m, err := f.Map(0, 1<<20, MapRead)
	require.NoError(t, err)
	defer m.Close()
	require.NoError(t, os.Truncate(filepath.Join(path, "x"), 0))
	sum := 0
	err = Guard(func() error {
		for _, b := range m.Bytes() {
			sum += int(b)
		}
		return nil
	})
	require.ErrorIs(t, err, ErrFault)
}

func TestGuardLetsOtherPanicsAndErrorsThrough(t *testing.T) {
	oops := errors.New("oops")
	require.ErrorIs(t, Guard(func() error { return oops }), oops)
	require.PanicsWithValue(t, "mine", func() { _ = Guard(func() error { panic("mine") }) })
	require.Panics(t, func() { _ = Guard(func() error { var p *int; *p = 1; return nil }) })
}

func TestD02_ASecondLockOfThisProcessIsRefusedAtOnce(t *testing.T) {
	d, path := newOS(t)
	l, err := d.Lock("LOCK", false)
	require.NoError(t, err)
	other, err := OS(path)
	require.NoError(t, err)
	defer other.Close()
	_, err = other.Lock("LOCK", false)
	require.ErrorIs(t, err, ErrLocked)
	_, err = other.Lock("LOCK", true)
	require.ErrorIs(t, err, ErrLocked)
	require.NoError(t, l.Close())
	require.NoError(t, l.Close())
	s1, err := other.Lock("LOCK", true)
	require.NoError(t, err)
	s2, err := d.Lock("LOCK", true)
	require.NoError(t, err)
	_, err = d.Lock("LOCK", false)
	require.ErrorIs(t, err, ErrLocked)
	require.NoError(t, s1.Close())
	require.NoError(t, s2.Close())
	l, err = d.Lock("LOCK", false)
	require.NoError(t, err)
	require.NoError(t, l.Close())
}

func TestD01_ALockOfAnotherProcessIsRefusedAndEndsWithIt(t *testing.T) {
	if dir := os.Getenv("VFS_LOCK_CHILD"); dir != "" {
		d, err := OS(dir)
		require.NoError(t, err)
		_, err = d.Lock("LOCK", false)
		require.ErrorIs(t, err, ErrLocked)
		return
	}
	d, path := newOS(t)
	l, err := d.Lock("LOCK", false)
	require.NoError(t, err)
	defer l.Close()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestD01_ALockOf")
	cmd.Env = append(os.Environ(), "VFS_LOCK_CHILD="+path)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func TestC20_ALinkThatLeadsOutIsRefused(t *testing.T) {
	d, path := newOS(t)
	outside := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("s"), 0o600))
	require.NoError(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(path, "file")))
	require.NoError(t, os.Symlink(outside, filepath.Join(path, "dir")))
	_, err := d.Open("file")
	require.Error(t, err)
	_, err = d.Open("../b/../../secret")
	require.Error(t, err)
	_, err = d.Sub("dir")
	require.Error(t, err)
	e, err := d.Stat("file")
	require.NoError(t, err)
	require.False(t, e.Regular)
}

func TestAtomicWriteReplacesAndLeavesNoTemporaryFile(t *testing.T) {
	d, _ := newOS(t)
	require.NoError(t, AtomicWrite(d, "x", []byte("one")))
	require.NoError(t, AtomicWrite(d, "x", []byte("three")))
	list, err := d.List(".")
	require.NoError(t, err)
	require.Equal(t, []Entry{{Name: "x", Regular: true, Size: 5}}, list)
}

func TestHugeMemoryIsZeroAlignedAndGivenBack(t *testing.T) {
	b, err := HugeAlloc(3 << 20)
	require.NoError(t, err)
	require.Len(t, b.Bytes(), 3<<20)
	require.Zero(t, address(b.Bytes())%64)
	require.Equal(t, make([]byte, 3<<20), b.Bytes())
	b.Bytes()[3<<20-1] = 1
	require.NoError(t, b.Close())
	_, err = HugeAlloc(0)
	require.Error(t, err)
}

func TestViewsRefuseWhatIsNotAligned(t *testing.T) {
	b := make([]byte, 16)
	_, ok := Uint32s(b[1:13])
	require.False(t, ok)
	_, ok = Uint32s(b[:14])
	require.False(t, ok)
	w, ok := Uint32s(b)
	require.True(t, ok)
	require.Len(t, w, 4)
}

func TestWriteZerosGrowsTheFileOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	require.NoError(t, os.WriteFile(path, []byte("abc"), 0o600))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, writeZeros(f, 0, 10))
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "abc\x00\x00\x00\x00\x00\x00\x00", string(got))
}

func TestC18_AFolderInThePlaceOfAFileIsRefused(t *testing.T) {
	d, _ := newOS(t)
	require.NoError(t, d.Mkdir("x"))
	_, err := d.Open("x")
	require.ErrorIs(t, err, fs.ErrInvalid)
}
