package vecfile

import (
	"fmt"

	"github.com/tarndb/tarn/internal/vfs"
)

// Sync puts everything that was written before the call on stable storage: the
// files and, if some were created, the folder. What is written meanwhile is the
// next Sync's. After an error of the disk the store is failed (I6): nothing is
// synced again, and Reserve, Write and Sync return vfs.ErrFailed.
func (s *Store) Sync() error {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	files, folder, err := s.takeDirty()
	if err != nil {
		return err
	}
	for _, f := range files {
		if err = f.handle.Sync(); err != nil {
			err = fmt.Errorf("%s: %w", f.name, err)
			break
		}
	}
	if err == nil && folder {
		if err = s.fs.SyncDir("."); err != nil {
			err = fmt.Errorf("folder: %w", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range files {
		f.busy, files[i] = false, nil
	}
	if err != nil {
		return s.fail("fsync", err)
	}
	return s.rest()
}

// WriteBack begins to bring what was written to the disk, where the system can be
// asked for it, so that a Sync later has less to wait for. It promises nothing.
func (s *Store) WriteBack() {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	s.mu.Lock()
	files := s.toSync[:0]
	for _, f := range s.handles {
		if f.dirty && s.failed == nil {
			f.busy = true
			files = append(files, f)
		}
	}
	s.toSync = files
	s.mu.Unlock()
	for _, f := range files {
		f.handle.WriteBack(0, s.lay.whole(f.kind))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range files {
		f.busy, files[i] = false, nil
	}
}

// takeDirty returns the files to sync, marked clean and busy, and whether the
// folder is to be synced.
func (s *Store) takeDirty() (files []*slotFile, folder bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil || s.cfg.ReadOnly {
		return nil, false, s.failed
	}
	files, folder = s.toSync[:0], s.newFiles
	s.newFiles = false
	for _, f := range s.handles {
		if f.dirty {
			f.dirty, f.busy = false, true
			files = append(files, f)
		}
	}
	s.toSync = files
	return files, folder, nil
}

// fail makes err final (I6).
func (s *Store) fail(what string, err error) error {
	if s.failed == nil {
		s.failed = fmt.Errorf("%s: %w: %w", what, vfs.ErrFailed, err)
	}
	return s.failed
}
