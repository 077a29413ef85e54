package meta

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// Checkpoint is the point before which the log is not needed.
type Checkpoint struct {
	LSN         uint64
	Slots       uint32      // slots below it are in the slot files
	Live        *bitmap.Set // of them
	Digest      uint64      // of the live sidecar entries
	Generation  uint64
	Snapshot    string // name of the graph file, "" for none
	SnapshotCRC uint32
	UUID        [16]byte // of the collection; Commit fills it in
}

// Store is the meta file of one collection.
type Store struct {
	dir      vfs.FS
	name     string
	readOnly bool
	uuid     [16]byte
	back     backend

	mu     sync.Mutex // one Commit at a time
	failed error      // I5
	stale  bool       // the copy lacks a commit
	closed bool
}

// Create makes the meta file of a new collection, durably, with cfg as its
// configuration and a checkpoint of nothing. That there is one is fs.ErrExist.
func Create(dir vfs.FS, name string, cfg []byte, uuid [16]byte) (*Store, error) {
	back, err := create(dir, name, uuid, func(w writer) error { return begin(w, cfg, uuid) })
	if err != nil {
		return nil, fmt.Errorf("creating %s: %w", name, err)
	}
	s := &Store{dir: dir, name: name, uuid: uuid, back: back}
	if err := s.writeCopy(); err != nil {
		return nil, errors.Join(fmt.Errorf("creating %s: %w", name, err), back.close())
	}
	return s, nil
}

// create makes the file with what fn puts into it.
func create(dir vfs.FS, name string, uuid [16]byte, fn func(writer) error) (backend, error) {
	if dir.Path(name) != "" {
		if err := createBolt(dir, name, fn); err != nil {
			return nil, err
		}
		return openBolt(dir, name, false)
	}
	m, err := createMemory(dir, name, uuid)
	if err != nil {
		return nil, err
	}
	return m, m.update(fn)
}

// begin puts the first records.
func begin(w writer, cfg []byte, uuid [16]byte) error {
	first := Checkpoint{UUID: uuid}
	var none tally
	return errors.Join(
		putSealed(w, small, keyHeader, codec.Header{Magic: magic, Version: version, UUID: uuid}.AppendTo(nil)),
		putSealed(w, small, keyConfig, cfg),
		putSealed(w, small, keyCheckpoint, first.encode(0)),
		putSealed(w, small, keyPositions, none.encode()),
		putSealed(w, small, keyKeys, encodeKeyTally(1, none)),
		putU64(w, small, keyCommit, 1),
	)
}

// Open opens a meta file. A missing one is fs.ErrNotExist, a damaged one
// codec.ErrCorrupt, a newer one codec.ErrVersion, one in use vfs.ErrLocked. It
// writes nothing.
func Open(dir vfs.FS, name string, readOnly bool) (*Store, error) {
	s := &Store{dir: dir, name: name, readOnly: readOnly}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

func (s *Store) open() (err error) {
	e, err := s.dir.Stat(s.name)
	if err != nil {
		return err
	}
	if !e.Regular {
		return fmt.Errorf("not a regular file: %w", codec.ErrCorrupt)
	}
	if s.dir.Path(s.name) != "" {
		s.back, err = openBolt(s.dir, s.name, s.readOnly)
	} else {
		s.back, err = openMemory(s.dir, s.name, s.readOnly)
	}
	if err != nil {
		return err
	}
	if err := s.examine(); err != nil {
		return errors.Join(err, s.back.close())
	}
	return nil
}

// examine reads the header and compares the number of the last commit with the
// copy's: if that has seen more, the file was damaged such that an older state
// came to light, or replaced.
func (s *Store) examine() error {
	header, err := s.small(keyHeader)
	if err != nil {
		return err
	}
	h, err := codec.ParseHeader(header, magic, version)
	if err != nil {
		return err
	}
	s.uuid = h.UUID
	commit, err := s.lastCommit()
	if err != nil {
		return err
	}
	owner, copied, _, err := s.readCopy()
	if err != nil || owner != s.uuid {
		s.stale = true // a copy that cannot be read is no loss; Verify says so
		return nil
	}
	if copied > commit {
		return fmt.Errorf("commit %d is lost: %s has it, the last one here is %d: %w", copied, copyName(s.name), commit, codec.ErrCorrupt)
	}
	s.stale = copied < commit
	return nil
}

// Commits returns the number of the last commit.
func (s *Store) Commits() (uint64, error) {
	n, err := s.lastCommit()
	return n, s.wrap(err)
}

// lastCommit is Commits without the name of the file in an error.
func (s *Store) lastCommit() (uint64, error) {
	b, err := s.small(keyCommit)
	if err != nil {
		return 0, err
	}
	return decodeU64(b)
}

// small returns a copy of a record of the small bucket, which must be there.
func (s *Store) small(key []byte) (value []byte, err error) {
	err = s.back.view(func(r reader) error {
		value, err = getSealed(r, small, key)
		value = append([]byte(nil), value...)
		return err
	})
	return value, err
}

// UUID returns the uuid of the collection.
func (s *Store) UUID() [16]byte { return s.uuid }

// Bytes returns the size of the file.
func (s *Store) Bytes() int64 { return s.back.size() }

// Close releases the file. It writes nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.failed == nil {
		s.failed = fmt.Errorf("%s: %w", s.name, fs.ErrClosed)
	}
	return s.back.close()
}

// wrap adds the name of the file to an error.
func (s *Store) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", s.name, err)
}

// copyName returns the name of the copy: meta.copy for meta.db.
func copyName(name string) string { return strings.TrimSuffix(name, ".db") + ".copy" }
