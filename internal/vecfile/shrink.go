package vecfile

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/tarndb/tarn/internal/vfs"
)

// Shrink removes the files of the chunks that hold no slot below n, also those
// that an earlier process left beyond. No slot of theirs is live, in a durable
// checkpoint, or in the sight of a reader. Their memory stays readable (I2), as
// zeros where the system can do that, so that their blocks, and the copies of their
// codes, are free at once; elsewhere they are when the store is closed. A file that
// cannot be removed is used again by Reserve. The caller keeps Write and Reserve out
// meanwhile.
func (s *Store) Shrink(n uint32) error {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil || s.cfg.ReadOnly {
		return s.failed
	}
	keep := s.lay.chunks(n)
	var errs []error
	if keep < len(s.chunks) {
		gone := slices.Clone(s.chunks[keep:])
		if s.pending != nil {
			gone = append(gone, s.pending)
			s.pending = nil
		}
		s.reserved.Store(min(s.reserved.Load(), uint32(s.lay.first(keep))))
		s.chunks = slices.Clip(s.chunks[:keep])
		s.publish()
		for _, c := range gone {
			errs = append(errs, s.retire(c))
		}
	}
	errs = append(errs, s.sweep(keep+boolInt(s.pending != nil)))
	s.newFiles = true
	return errors.Join(errs...)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// retire gives up the files of a chunk that no slot is in any more.
func (s *Store) retire(c *chunk) error {
	var errs []error
	for _, f := range c.files {
		if i := slices.Index(s.handles, f); i >= 0 {
			s.handles = slices.Delete(s.handles, i, i+1)
			errs = append(errs, f.handle.Close())
			f.handle = nil
		}
		if f.mapping != nil {
			errs = append(errs, vfs.Blank(f.mapping))
			s.retired = append(s.retired, f.mapping)
		}
	}
	vfs.Release(c.private)
	return errors.Join(errs...)
}

// sweep removes the files of chunks from keep on.
func (s *Store) sweep(keep int) error {
	entries, err := s.fs.List(".")
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if i, ok := chunkOf(e.Name); !ok || int64(i) < int64(keep) || !e.Regular {
			continue
		}
		if err := s.fs.Remove(e.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("removing %s: %w", e.Name, err))
		}
	}
	return errors.Join(errs...)
}

// chunkOf returns the chunk that a file's name speaks of.
func chunkOf(name string) (chunk uint32, ok bool) {
	for k := range kinds {
		number, found := strings.CutSuffix(name, suffixes[k])
		if n, err := strconv.ParseUint(number, 16, 32); found && err == nil && fileName(k, uint32(n)) == name {
			return uint32(n), true
		}
	}
	return 0, false
}
