package vfs

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// osFS is a directory of the operating system. os.Root keeps every name inside.
type osFS struct {
	root *os.Root
	path string
}

// OS returns the FS of a directory that exists.
func OS(dir string) (FS, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, err
	}
	return &osFS{root, abs}, nil
}

// CreateOS makes a directory (0700) and the missing ones above it, durably, and
// returns its FS. What is there already may come from a process that was killed
// before it synced the names, so all folders above are synced, as far as one may
// open them.
func CreateOS(dir string) (FS, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return nil, diskError(err)
	}
	for at := filepath.Dir(abs); ; at = filepath.Dir(at) {
		if err := syncFolder(at); errors.Is(err, fs.ErrPermission) {
			break
		} else if err != nil {
			return nil, err
		}
		if at == filepath.Dir(at) {
			break
		}
	}
	return OS(abs)
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(syncDirFile(d), d.Close())
}

func (o *osFS) Create(name string) (File, error) {
	return o.open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}
func (o *osFS) Open(name string) (File, error)   { return o.open(name, os.O_RDONLY) }
func (o *osFS) OpenRW(name string) (File, error) { return o.open(name, os.O_RDWR) }

func (o *osFS) open(name string, flag int) (File, error) {
	f, err := o.root.OpenFile(filepath.FromSlash(name), flag|noWait, 0o600)
	if err != nil {
		return nil, diskError(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: errNotRegular}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &osFile{f}, nil
}

// errNotRegular: a pipe or a device in the place of a file is never read.
var errNotRegular = fmt.Errorf("%w: not a regular file", fs.ErrInvalid)

func (o *osFS) Remove(name string) error {
	return diskError(o.root.Remove(filepath.FromSlash(name)))
}

func (o *osFS) RemoveAll(name string) error {
	return diskError(o.root.RemoveAll(filepath.FromSlash(name)))
}

func (o *osFS) Rename(oldname, newname string) error {
	return diskError(o.root.Rename(filepath.FromSlash(oldname), filepath.FromSlash(newname)))
}

func (o *osFS) Mkdir(name string) error {
	return diskError(o.root.Mkdir(filepath.FromSlash(name), 0o700))
}

func (o *osFS) SyncDir(name string) error {
	d, err := o.root.Open(filepath.FromSlash(name))
	if err != nil {
		return diskError(err)
	}
	return errors.Join(syncDirFile(d), d.Close())
}

func (o *osFS) List(name string) ([]Entry, error) {
	d, err := o.root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, diskError(err)
	}
	defer d.Close()
	found, err := d.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, len(found))
	for _, e := range found {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		entries = append(entries, entryOf(info))
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	return entries, nil
}

func (o *osFS) Stat(name string) (Entry, error) {
	info, err := o.root.Lstat(filepath.FromSlash(name))
	if err != nil {
		return Entry{}, err
	}
	return entryOf(info), nil
}

func entryOf(info fs.FileInfo) Entry {
	return Entry{Name: info.Name(), Dir: info.IsDir(), Regular: info.Mode().IsRegular(), Size: info.Size()}
}

func (o *osFS) Sub(name string) (FS, error) {
	if e, err := o.Stat(name); err != nil {
		return nil, err
	} else if !e.Dir {
		return nil, fmt.Errorf("%s: %w: not a folder", name, fs.ErrInvalid)
	}
	root, err := o.root.OpenRoot(filepath.FromSlash(name))
	if err != nil {
		return nil, diskError(err)
	}
	return &osFS{root, filepath.Join(o.path, filepath.FromSlash(name))}, nil
}

func (o *osFS) Path(name string) string {
	return filepath.Join(o.path, filepath.FromSlash(name))
}

func (o *osFS) OSFile(name string, flag int) (*os.File, error) {
	return o.root.OpenFile(filepath.FromSlash(name), flag, 0o600)
}

func (o *osFS) Close() error { return o.root.Close() }

func (o *osFS) Lock(name string, shared bool) (io.Closer, error) {
	return lockFile(o, name, shared)
}
