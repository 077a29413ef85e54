package vecfile

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tarndb/tarn/internal/vfs"
)

const (
	// maxHandles bounds the files that are open at once, beside the mappings,
	// which need no descriptor.
	maxHandles = 96
	// idleHandles stay open after a Sync: those of the chunk that is filled.
	idleHandles = int(kinds)
)

// open returns the file's handle, opening it if it is not.
func (s *Store) open(f *slotFile) (vfs.File, error) {
	if f.handle != nil {
		s.touch(f)
		return f.handle, nil
	}
	open := s.fs.OpenRW
	if s.cfg.ReadOnly {
		open = s.fs.Open
	}
	h, err := open(f.name)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", f.name, err)
	}
	if err := s.evict(maxHandles - 1); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	s.retain(f, h)
	return h, nil
}

// retain makes h the file's handle.
func (s *Store) retain(f *slotFile, h vfs.File) {
	f.handle = h
	s.handles = append(s.handles, f)
}

// touch marks the file as the most recently used one.
func (s *Store) touch(f *slotFile) {
	last := len(s.handles) - 1
	if i := slices.Index(s.handles, f); i < last {
		copy(s.handles[i:], s.handles[i+1:])
		s.handles[last] = f
	}
}

// evict closes the least recently used handles until at most n are open. A dirty
// one is fsynced first: an error of writing it back is told to the descriptor
// that wrote, and to no later one for certain.
func (s *Store) evict(n int) error {
	for i := 0; len(s.handles) > n && i < len(s.handles); {
		f := s.handles[i]
		if f.busy || f.writers > 0 {
			i++
			continue
		}
		if f.dirty {
			if err := f.handle.Sync(); err != nil {
				return s.fail(f.name, err)
			}
			f.dirty = false
		}
		s.handles = slices.Delete(s.handles, i, i+1)
		h := f.handle
		f.handle = nil
		if err := h.Close(); err != nil {
			return s.fail(f.name, err)
		}
	}
	return nil
}

// rest closes the least recently used handles that are clean until idleHandles
// are left.
func (s *Store) rest() error {
	var errs []error
	for i := 0; len(s.handles) > idleHandles && i < len(s.handles); {
		f := s.handles[i]
		if f.busy || f.dirty {
			i++
			continue
		}
		s.handles = slices.Delete(s.handles, i, i+1)
		errs = append(errs, f.handle.Close())
		f.handle = nil
	}
	return errors.Join(errs...)
}
