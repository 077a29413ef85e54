package meta

import (
	"errors"
	"fmt"
	"io/fs"

	"go.etcd.io/bbolt"

	"github.com/tarndb/tarn/internal/vfs"
)

// compactStep bounds the bytes of one transaction while a file is rewritten.
const compactStep = 16 << 20

// Compact rewrites the file without the pages that deleted records left:
//
//	meta.db ──records──> meta.db.tmp ──fsync──> renamed over meta.db ──> fsync of the folder
//
// Commits wait, reads do not but for the moment of the renaming. Killed anywhere,
// one of the two is there whole. An error that wraps vfs.ErrNoSpace leaves
// everything as it was.
func (s *Store) Compact() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readOnly {
		return s.wrap(errReadOnly)
	}
	if s.failed != nil {
		return s.failed
	}
	b, ok := s.back.(*bolt)
	if !ok {
		return nil
	}
	if err := b.compact(); err != nil {
		return s.fail(fmt.Errorf("rewriting: %w", err))
	}
	return nil
}

func (b *bolt) compact() error {
	tmp := b.name + vfs.TempSuffix
	if err := b.dir.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := b.guard(func() error {
		dst, err := bbolt.Open(b.dir.Path(tmp), 0o600, &bbolt.Options{OpenFile: opener(b.dir, tmp), Timeout: lockTimeout, NoStatistics: true, NoSync: true, InitialMmapSize: mapAtFirst()})
		if err != nil {
			return err
		}
		dst.AllocSize = growth(b.size() / 16)
		return errors.Join(bbolt.Compact(dst, b.db, compactStep), dst.Close())
	})
	if err == nil {
		err = syncFile(b.dir, tmp)
	}
	if err != nil {
		_ = b.dir.Remove(tmp) // the error tells of it, and the next try removes it
		return err
	}
	return b.replace(tmp)
}

func syncFile(dir vfs.FS, name string) error {
	f, err := dir.OpenRW(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// replace puts tmp in the place of the file, which is closed for that: not every
// system renames over an open one. If it cannot be opened again, bbolt is not
// called any more.
func (b *bolt) replace(tmp string) error {
	b.swap.Lock()
	defer b.swap.Unlock()
	err := b.guard(func() error { return b.db.Close() })
	if err == nil {
		err = b.dir.Rename(tmp, b.name)
	}
	if err == nil {
		err = b.dir.SyncDir(".")
	}
	fresh, opened := openBolt(b.dir, b.name, false)
	if opened != nil {
		err = fmt.Errorf("%w: %w", vfs.ErrFailed, errors.Join(err, opened))
		b.mu.Lock()
		b.wedged = err
		b.mu.Unlock()
		return err
	}
	b.db = fresh.db
	return err
}
