package meta

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// The copy holds all records but payloads and keys, written aside and renamed after
// every commit that changes one of them: it costs a bit for each slot, little
// beside the checkpoint it follows. A repair takes from it what a damaged file
// has lost, and its number of the last commit gives away a file that shows an
// older state than it had.

// writeCopy writes the copy.
func (s *Store) writeCopy() error {
	commit, err := s.lastCommit()
	if err != nil {
		return err
	}
	d := newDump(copyMagic, s.uuid, commit)
	err = s.back.view(func(r reader) error {
		return errors.Join(d.addAll(r, small), d.addAll(r, live), d.addAll(r, positions))
	})
	if err != nil {
		return err
	}
	if err := vfs.AtomicWrite(s.dir, copyName(s.name), d.bytes()); err != nil {
		return err
	}
	s.stale = false
	return nil
}

// readCopy returns what the copy holds.
func (s *Store) readCopy() (owner [16]byte, commit uint64, records []record, err error) {
	name := copyName(s.name)
	e, err := s.dir.Stat(name)
	if err != nil {
		return owner, 0, nil, err
	}
	if !e.Regular {
		return owner, 0, nil, fmt.Errorf("%s: not a regular file: %w", name, codec.ErrCorrupt)
	}
	b, err := readWhole(s.dir, name)
	if err != nil {
		return owner, 0, nil, err
	}
	h, commit, records, err := parseDump(copyMagic, b)
	if err != nil {
		return owner, 0, nil, fmt.Errorf("%s: %w", name, err)
	}
	return h.UUID, commit, records, nil
}

// checkCopy returns an error unless the copy is whole and the last commit's.
func (s *Store) checkCopy() error {
	commit, err := s.lastCommit()
	if err != nil {
		return err
	}
	owner, copied, records, err := s.readCopy()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s is missing", copyName(s.name))
	case err != nil:
		return err
	case owner != s.uuid:
		return fmt.Errorf("%s belongs to %x, not to %x", copyName(s.name), owner, s.uuid)
	case copied > commit:
		return fmt.Errorf("%s has commit %d, the file only %d", copyName(s.name), copied, commit)
	}
	for _, r := range records {
		if _, err := unseal(r.bucket, r.key, r.value); err != nil {
			return fmt.Errorf("%s: %w", copyName(s.name), err)
		}
	}
	return nil
}
