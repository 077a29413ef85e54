package vfs

import (
	"errors"
	"os"
)

// Same reports whether two are of one folder, whatever its names are and were.
func Same(a, b FS) (bool, error) {
	switch a := within(a).(type) {
	case *Mem:
		b, ok := within(b).(*Mem)
		return ok && a.tree == b.tree && a.root == b.root, nil
	case *osFS:
		b, ok := within(b).(*osFS)
		if !ok {
			return false, nil
		}
		x, err := a.root.Stat(".")
		y, err2 := b.root.Stat(".")
		if err := errors.Join(err, err2); err != nil {
			return false, err
		}
		return os.SameFile(x, y), nil
	}
	return false, errors.ErrUnsupported
}

// within returns the FS that faults are put into, if they are.
func within(fs FS) FS {
	for {
		i, ok := fs.(*Inject)
		if !ok {
			return fs
		}
		fs = i.fs
	}
}
