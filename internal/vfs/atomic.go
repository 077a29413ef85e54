package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// TempSuffix ends the names of files that are not finished.
const TempSuffix = ".tmp"

// AtomicWrite makes name hold data, durably: after a crash it holds either what it
// held before or data.
func AtomicWrite(fsys FS, name string, data []byte) error {
	f, err := AtomicFile(fsys, name, func(f File) error {
		_, err := f.WriteAt(data, 0)
		return err
	})
	if err != nil {
		return err
	}
	return f.Close()
}

// AtomicFile makes name hold what fill writes, durably, and returns the file, open.
//
//	create name.tmp ──> fill ──> fsync ──> rename to name ──> fsync the folder
//
// After a crash name holds either what it held before or all of it. An error
// before the rename leaves nothing behind; ErrFailed means that an fsync failed.
func AtomicFile(fsys FS, name string, fill func(File) error) (File, error) {
	tmp := name + TempSuffix
	if err := ignoreNotExist(fsys.Remove(tmp)); err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	f, err := fsys.Create(tmp)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	if err = fill(f); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = fsys.Rename(tmp, name)
	}
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name, errors.Join(err, f.Close(), ignoreNotExist(fsys.Remove(tmp))))
	}
	if err := fsys.SyncDir(path.Dir(name)); err != nil {
		return nil, fmt.Errorf("write %s: %w", name, errors.Join(err, f.Close()))
	}
	return f, nil
}

func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
