//go:build unix

package vfs

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func isNoSpace(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG)
}

// noWait keeps the open of a pipe from waiting for its other end; files do not
// know it.
const noWait = unix.O_NONBLOCK

func syncDirFile(d *os.File) error { return syncError(d.Sync()) }

// systemLock takes a flock, which belongs to the open file and ends with it, also
// when the process is killed.
func systemLock(f *os.File, shared bool) error {
	how := unix.LOCK_EX
	if shared {
		how = unix.LOCK_SH
	}
	for {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EWOULDBLOCK):
			return fmt.Errorf("%w: by another process", ErrLocked)
		}
		return err
	}
}

// growForMap: a mapping may reach past the end of its file.
func growForMap(*osFile, int64, MapMode) error { return nil }
