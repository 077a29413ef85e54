package vfs

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/edsrzf/mmap-go"
)

// osFile is a file of the operating system.
type osFile struct{ f *os.File }

func (o *osFile) ReadAt(p []byte, off int64) (int, error) { return o.f.ReadAt(p, off) }

func (o *osFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := o.f.WriteAt(p, off)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return n, diskError(err)
}

func (o *osFile) Close() error { return o.f.Close() }

func (o *osFile) Size() (int64, error) {
	info, err := o.f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (o *osFile) Sync() error     { return syncError(o.f.Sync()) }
func (o *osFile) SyncData() error { return syncError(syncData(o.f)) }

func (o *osFile) Truncate(size int64) error { return diskError(o.f.Truncate(size)) }

func (o *osFile) Allocate(off, n int64) error {
	if off < 0 || n < 0 || off+n < off {
		return fmt.Errorf("allocate %d bytes at %d: out of range", n, off)
	}
	if n == 0 {
		return nil
	}
	return diskError(allocate(o.f, off, n))
}

func (o *osFile) WriteBack(off, n int64) { writeBack(o.f, off, n) }

func (o *osFile) DropCache() error { return dropCache(o.f) }

func (o *osFile) Map(off int64, n int, mode MapMode) (Mapping, error) {
	if n <= 0 || off < 0 || off%PageSize != 0 {
		return nil, fmt.Errorf("map %d bytes at %d: out of range", n, off)
	}
	if err := growForMap(o, off+int64(n), mode); err != nil {
		return nil, err
	}
	prot := mmap.RDONLY
	if mode == MapCopy {
		prot = mmap.COPY
	}
	m, err := mmap.MapRegion(o.f, n, prot, 0, off)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", o.f.Name(), diskError(err))
	}
	return &osMapping{m}, nil
}

type osMapping struct{ m mmap.MMap }

func (m *osMapping) Bytes() []byte { return m.m }

func (m *osMapping) Close() error {
	if m.m == nil {
		return nil
	}
	return m.m.Unmap()
}

// writeZeros is Allocate where the system has no call for it: it writes what is
// missing at the end of the file.
func writeZeros(f *os.File, off, n int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	zeros := make([]byte, min(n, 1<<20))
	for at := max(info.Size(), off); at < off+n; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), off+n-at)], at); err != nil {
			return errors.Join(err, f.Truncate(info.Size()))
		}
	}
	return nil
}

func syncError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrFailed, err)
}

// DiskError adds ErrNoSpace to an error of the operating system that means it, for
// a library that writes its own files.
func DiskError(err error) error { return diskError(err) }

// diskError adds ErrNoSpace to the errors that mean it.
func diskError(err error) error {
	if err == nil || errors.Is(err, ErrNoSpace) || !isNoSpace(err) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNoSpace, err)
}
