package vecfile

import (
	"errors"
	"fmt"
	"io"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// chunk is a group of 1<<shift slots: three files, and the memory in which its
// codes are searched.
type chunk struct {
	files [kinds]*slotFile

	// Guarded by Store.mu. private is a copy of the code rows that readers see
	// instead of the mapping; next is one being filled, which they will see.
	// Write keeps both up to date.
	private, next []byte
}

func newChunk(number int) *chunk {
	c := &chunk{}
	for k := range kinds {
		c.files[k] = &slotFile{kind: k, chunk: uint32(number), name: fileName(k, uint32(number))}
	}
	return c
}

// codeRows returns the memory in which the chunk's codes are searched.
func (c *chunk) codeRows() []byte {
	if c.private != nil {
		return c.private
	}
	return c.files[codes].rows
}

// load opens the files of a chunk of which the first n slots are known to be
// there, because a checkpoint says so. What they lack is damage.
func (s *Store) load(c *chunk, n int, sizes map[string]vfs.Entry) error {
	for _, f := range c.files {
		e, ok := sizes[f.name]
		switch need := s.lay.end(f.kind, n); {
		case !ok:
			return damaged(f.name, 0, "file is missing")
		case !e.Regular:
			return damaged(f.name, 0, "not a regular file")
		case e.Size < need:
			return damaged(f.name, e.Size, fmt.Sprintf("file ends before slot %d: %d bytes, %d needed",
				s.lay.first(int(f.chunk))+uint64(n)-1, e.Size, need))
		}
		f.size = e.Size
		if err := s.attach(f); err != nil {
			return err
		}
	}
	return nil
}

// attach checks the header of an existing file and maps its rows. The handle is
// not kept.
func (s *Store) attach(f *slotFile) error {
	h, err := s.fs.Open(f.name)
	if err != nil {
		return fmt.Errorf("opening %s: %w", f.name, err)
	}
	defer h.Close() // opened for reading: an error tells nothing
	if _, err := s.checkHeader(f, h); err != nil {
		return err
	}
	if wholeFiles && f.size < s.lay.whole(f.kind) {
		return s.attachShort(f, h)
	}
	return s.mapFrom(f, h)
}

// attachShort gives a file that cannot be mapped beyond its end, and was made
// where that can be done, its full length; or, in a read-only store, memory.
func (s *Store) attachShort(f *slotFile, h vfs.File) error {
	if s.cfg.ReadOnly {
		return s.copyRows(f, h)
	}
	if err := s.allocate(f, s.lay.whole(f.kind)); err != nil {
		return err
	}
	return s.mapRows(f)
}

// copyRows reads the rows of a file into memory of the store's own.
func (s *Store) copyRows(f *slotFile, h io.ReaderAt) error {
	rows, err := s.arena.take(s.lay.rowBytes(f.kind))
	if err != nil {
		return fmt.Errorf("memory for %s: %w", f.name, err)
	}
	n := min(max(f.size-headerSize, 0), int64(len(rows)))
	if _, err := io.ReadFull(io.NewSectionReader(h, headerSize, n), rows[:n]); err != nil {
		return fmt.Errorf("reading %s: %w", f.name, err)
	}
	f.rows = rows
	return nil
}

// damaged returns the error for a file that is not as it was written.
func damaged(name string, off int64, problem string) error {
	return fmt.Errorf("%s: offset %d: %s: %w", name, off, problem, codec.ErrCorrupt)
}

// guard runs fn, which reads mapped rows, and turns a fault into damage.
func guard(fn func() error) error {
	err := vfs.Guard(fn)
	if errors.Is(err, vfs.ErrFault) && !errors.Is(err, codec.ErrCorrupt) {
		return fmt.Errorf("%w: %w", codec.ErrCorrupt, err)
	}
	return err
}
