//go:build unix

package vfs

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// blank maps memory of nobody's over the mapping, in one step for its readers.
func (m *osMapping) blank() error {
	if len(m.m) == 0 {
		return nil
	}
	_, err := unix.MmapPtr(-1, 0, unsafe.Pointer(unsafe.SliceData(m.m)), uintptr(len(m.m)),
		unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_FIXED)
	return err
}
