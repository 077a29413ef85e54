package vecfile

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"

	"github.com/tarndb/tarn/internal/vfs"
)

const (
	minExtent = 16 << 10
	maxExtent = 1 << 20
	pageSize  = 4096

	// wholeFiles says that a mapping cannot reach past the end of its file,
	// so that files are made whole at once.
	wholeFiles = runtime.GOOS == "windows"
)

// slotFile is one of the three files of a chunk. All but rows is guarded by
// Store.mu.
type slotFile struct {
	kind  kind
	chunk uint32
	name  string

	// rows is the memory of all rows of the chunk: the file's mapping beyond
	// the header, or, in a read-only store, memory of its own. Rows at or above
	// Store.reserved must not be touched: there may be no file under them.
	rows    []byte
	mapping vfs.Mapping // nil if rows is not a mapping

	size   int64 // of the file
	backed int64 // bytes that this process has allocated; the rest is taken on trust
	handle vfs.File
	dirty  bool // written since its last fsync; then handle is open
	busy   bool // being fsynced; handle must not be closed

	writers int // who write to handle just now; it must not be closed
}

// grown returns the size to which a file of size bytes that needs need bytes is
// grown: by extents that double with the file up to maxExtent, so that a small
// collection stays small on disk and a large one is rarely grown. A chunk that is
// not the first begins with the largest extent.
func (f *slotFile) grown(need, whole int64) int64 {
	if f.chunk > 0 {
		need = max(need, min(maxExtent, whole))
	}
	return grown(f.size, need, whole)
}

func grown(size, need, whole int64) int64 {
	whole = pages(whole)
	if wholeFiles {
		return whole
	}
	step := min(max(size, minExtent), maxExtent)
	return min(pages(max(need, size+step)), whole)
}

// pages rounds n up to whole pages.
func pages(n int64) int64 { return (n + pageSize - 1) &^ (pageSize - 1) }

// allocate gives the file real blocks for need bytes and more, or, if the disk
// has no room for more, for need bytes.
func (s *Store) allocate(f *slotFile, need int64) error {
	if f.backed >= need {
		return nil
	}
	h, err := s.open(f)
	if err != nil {
		return err
	}
	f.dirty = true
	whole := s.lay.whole(f.kind)
	target := max(f.grown(need, whole), f.size)
	err = h.Allocate(f.backed, target-f.backed)
	if errors.Is(err, vfs.ErrNoSpace) && max(pages(need), f.size) < target {
		target = max(pages(need), f.size)
		err = h.Allocate(f.backed, target-f.backed)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	f.size, f.backed = target, target
	return nil
}

// mapRows maps the rows of a file that is not mapped yet.
func (s *Store) mapRows(f *slotFile) error {
	if f.rows != nil {
		return nil
	}
	h, err := s.open(f)
	if err != nil {
		return err
	}
	return s.mapFrom(f, h)
}

// mapFrom maps the rows of a whole chunk, including those that the file does not
// have yet: a mapping never moves (I2).
func (s *Store) mapFrom(f *slotFile, h vfs.File) error {
	mode := vfs.MapRead
	if s.cfg.ReadOnly {
		mode = vfs.MapCopy
	}
	m, err := h.Map(0, int(s.lay.whole(f.kind)), mode)
	if err != nil {
		return fmt.Errorf("%s: mapping: %w", f.name, err)
	}
	f.mapping, f.rows = m, m.Bytes()[headerSize:]
	return nil
}

// create makes the file of a chunk that no checkpoint has named yet, with its
// header and room for its first rows. What a crash left under the name is
// replaced, unless its header is whole: then it is some version's, and it is
// used, or refused.
func (s *Store) create(f *slotFile) error {
	if err := s.evict(maxHandles - 1); err != nil {
		return err
	}
	ok, err := s.adopt(f)
	if ok || err != nil {
		return err
	}
	h, err := s.fs.Create(f.name)
	if err != nil {
		return fmt.Errorf("creating %s: %w", f.name, err)
	}
	s.newFiles = true
	if err := s.begin(f, h); err != nil {
		return errors.Join(err, h.Close(), s.fs.Remove(f.name))
	}
	s.retain(f, h)
	f.dirty = true
	return nil
}

// begin writes the header of a new file.
func (s *Store) begin(f *slotFile, h vfs.File) error {
	size := f.grown(s.lay.end(f.kind, 1), s.lay.whole(f.kind))
	err := h.Allocate(0, size)
	if least := pages(s.lay.end(f.kind, 1)); errors.Is(err, vfs.ErrNoSpace) && least < size && !wholeFiles {
		size = least
		err = h.Allocate(0, size)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	if _, err := h.WriteAt(s.header(f).encode(), 0); err != nil {
		return fmt.Errorf("%s: header: %w", f.name, err)
	}
	f.size, f.backed = size, size
	return nil
}

// adopt opens the file that an earlier process created and no checkpoint named.
// It reports false, and removes the file, if the header was never written.
func (s *Store) adopt(f *slotFile) (bool, error) {
	e, err := s.fs.Stat(f.name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", f.name, err)
	}
	if !e.Regular {
		return false, damaged(f.name, 0, "not a regular file")
	}
	h, err := s.fs.OpenRW(f.name)
	if err != nil {
		return false, fmt.Errorf("opening %s: %w", f.name, err)
	}
	torn, err := s.checkHeader(f, h)
	if err != nil && torn {
		return false, errors.Join(h.Close(), s.fs.Remove(f.name))
	}
	if err == nil {
		// It may be in the memory of the system only: that process's fsync may have failed.
		_, err = h.WriteAt(s.header(f).encode(), 0)
	}
	if err != nil {
		return false, errors.Join(err, h.Close())
	}
	s.retain(f, h)
	s.newFiles = true // its entry in the folder may never have been synced
	f.size, f.dirty = e.Size, true
	return true, nil
}
