package vfs

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

func isNoSpace(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

const noWait = 0

// syncDirFile: the file system journals names; a folder cannot be flushed.
func syncDirFile(*os.File) error { return nil }

func syncData(f *os.File) error               { return f.Sync() }
func allocate(f *os.File, off, n int64) error { return writeZeros(f, off, n) }
func writeBack(*os.File, int64, int64)        {}
func dropCache(*os.File) error                { return nil }

// systemLock locks one byte far behind the end, so that the file can be read.
func systemLock(f *os.File, shared bool) error {
	flags := uint32(windows.LOCKFILE_FAIL_IMMEDIATELY)
	if !shared {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	at := &windows.Overlapped{OffsetHigh: 1 << 30}
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return fmt.Errorf("%w: by another process", ErrLocked)
	}
	return err
}

// growForMap: a mapping must not reach past the end of its file.
func growForMap(o *osFile, size int64, mode MapMode) error {
	have, err := o.Size()
	if err != nil || have >= size || mode == MapCopy {
		return err
	}
	return o.Truncate(size)
}
