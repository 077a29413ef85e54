package meta

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

const (
	// lockTimeout is how long bbolt tries to lock its file. The lock on the
	// database was taken before, so nobody should hold it.
	lockTimeout = 200 * time.Millisecond
	// appendFill is how full bbolt leaves the pages it splits: payloads come with
	// rising slots, so that a page is not written again once the next is begun.
	appendFill = 0.95
	// mapFirst is how much bbolt maps from the start, where that costs addresses alone.
	// When a file outgrows its mapping in a transaction, bbolt copies all that is in the
	// transaction, entry by entry, and does so again at each doubling.
	mapFirst = 256 << 20
	// A file grows by as much as it has, within these bounds.
	minGrowth, maxGrowth = 32 << 10, 16 << 20
)

// bolt is the backend for files of the operating system. bbolt reads a mapped
// file that it trusts: inspect has looked at it before, and what may still be
// wrong in a large one is caught as a panic or a fault, and becomes ErrCorrupt.
type bolt struct {
	swap sync.RWMutex // held while db is another one, see replace
	db   *bbolt.DB    // by swap
	dir  vfs.FS
	name string

	mu     sync.Mutex
	wedged error // bbolt panicked where it holds locks: it is not called again (I4)
}

// createBolt makes the file under a temporary name and renames it when it is
// whole and synced.
func createBolt(dir vfs.FS, name string, fn func(writer) error) (err error) {
	if _, err := dir.Stat(name); err == nil {
		return fmt.Errorf("%s: %w", name, fs.ErrExist)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	tmp := name + vfs.TempSuffix
	if err := dir.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	defer func() {
		if err != nil {
			_ = dir.Remove(tmp) // the error tells of it, and the next try removes it
		}
	}()
	if err := fillBolt(dir, tmp, fn); err != nil {
		return err
	}
	if err := dir.Rename(tmp, name); err != nil {
		return err
	}
	return dir.SyncDir(".")
}

// fillBolt makes a file with empty buckets and what fn puts into them, and syncs
// it.
func fillBolt(dir vfs.FS, name string, fn func(writer) error) error {
	db, err := bbolt.Open(dir.Path(name), 0o600, &bbolt.Options{OpenFile: opener(dir, name), Timeout: lockTimeout, NoStatistics: true})
	if err != nil {
		return boltError(err)
	}
	b := &bolt{db: db, dir: dir, name: name}
	err = b.update(func(w writer) error {
		for _, bucket := range bucketNames {
			if _, err := w.(*boltTx).tx.CreateBucket(bucket); err != nil {
				return err
			}
		}
		return fn(w)
	})
	if err := errors.Join(err, b.close()); err != nil {
		return err
	}
	return syncFile(dir, name)
}

// openBolt opens a file that inspect finds sound.
func openBolt(dir vfs.FS, name string, readOnly bool) (*bolt, error) {
	if err := inspectFile(dir, name); err != nil {
		return nil, err
	}
	b := &bolt{dir: dir, name: name}
	err := b.guard(func() (err error) {
		b.db, err = bbolt.Open(dir.Path(name), 0o600, &bbolt.Options{
			OpenFile: opener(dir, name), Timeout: lockTimeout, ReadOnly: readOnly, NoStatistics: true, FreelistType: bbolt.FreelistMapType,
			InitialMmapSize: mapAtFirst(),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := b.view(hasBuckets); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// mapAtFirst returns mapFirst where a mapping may reach beyond the end of its file and
// there are addresses for it.
func mapAtFirst() int {
	if runtime.GOOS == "windows" || strconv.IntSize < 64 {
		return 0
	}
	return mapFirst
}

// growth returns by how much a file grows at a time if size is what it has.
func growth(size int64) int { return int(min(max(size, minGrowth), maxGrowth)) }

// opener has bbolt open a file of dir itself, not what is called so by now: the
// folder may have been renamed since it was opened, and another be in its place.
func opener(dir vfs.FS, name string) func(string, int, fs.FileMode) (*os.File, error) {
	return func(_ string, flag int, _ fs.FileMode) (*os.File, error) { return dir.OSFile(name, flag) }
}

func hasBuckets(r reader) error {
	for b, name := range bucketNames {
		if r.(*boltTx).bucket(bucket(b)) == nil {
			return fmt.Errorf("no bucket %s: %w", name, codec.ErrCorrupt)
		}
	}
	return nil
}

// guard runs fn, which calls bbolt outside of any transaction's own code: if that
// panics, locks may be held for ever, so bbolt is not called again.
func (b *bolt) guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
			b.mu.Lock()
			b.wedged = err
			b.mu.Unlock()
		}
	}()
	b.mu.Lock()
	wedged := b.wedged
	b.mu.Unlock()
	if wedged != nil {
		return wedged
	}
	return boltError(fn())
}

// attempt runs fn, the inside of a transaction, which is rolled back if it
// panics.
func attempt(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	return fn()
}

// panicked returns the error for a panic of bbolt: an assertion about a page, an
// index out of range, a fault.
func panicked(p any) error {
	if err, ok := p.(interface{ Addr() uintptr }); ok {
		return fmt.Errorf("%w: %w at address %#x", codec.ErrCorrupt, vfs.ErrFault, err.Addr())
	}
	return fmt.Errorf("%w: bbolt: %v", codec.ErrCorrupt, p)
}

func (b *bolt) view(fn func(reader) error) error {
	b.swap.RLock()
	defer b.swap.RUnlock()
	return b.guard(func() error {
		tx, err := b.db.Begin(false)
		if err != nil {
			return err
		}
		err = attempt(func() error { return fn(&boltTx{tx: tx}) })
		return errors.Join(err, tx.Rollback())
	})
}

func (b *bolt) update(fn func(writer) error) error {
	b.swap.RLock()
	defer b.swap.RUnlock()
	return b.guard(func() error {
		tx, err := b.db.Begin(true)
		if err != nil {
			return err
		}
		b.db.AllocSize = growth(b.size())
		if err := attempt(func() error { return fn(&boltTx{tx: tx}) }); err != nil {
			return errors.Join(err, tx.Rollback())
		}
		return commit(tx)
	})
}

// commit commits a transaction. If bbolt panics over a page, the transaction is
// given up; whether pages were written is not known then.
func commit(tx *bbolt.Tx) error {
	err := attempt(tx.Commit)
	if errors.Is(err, codec.ErrCorrupt) {
		return fmt.Errorf("%w: %w", vfs.ErrFailed, errors.Join(err, tx.Rollback()))
	}
	return commitError(err)
}

func (b *bolt) size() int64 {
	e, err := b.dir.Stat(b.name)
	if err != nil {
		return 0
	}
	return e.Size
}

// close closes the file; if bbolt is wedged, the end of the process does.
func (b *bolt) close() error { return b.guard(func() error { return b.db.Close() }) }

// commitError tells apart what Commit can fail with. bbolt writes with pwrite,
// through os.File, whose errors say so, and has undone its changes when it
// returns one; for want of space that is the end of it. Any other error leaves
// open what is on the disk.
func commitError(err error) error {
	if err == nil {
		return nil
	}
	var path *fs.PathError
	if errors.As(err, &path) && path.Op != "sync" {
		if err := vfs.DiskError(err); errors.Is(err, vfs.ErrNoSpace) {
			return err
		}
	}
	if noRoomToGrow(err) {
		return fmt.Errorf("commit: %w: %w", vfs.ErrNoSpace, err)
	}
	return fmt.Errorf("commit: %w: %w", vfs.ErrFailed, err)
}

// noRoomToGrow reports whether bbolt could not make its file longer, which it does
// before it writes. It hands on only the text of that error.
func noRoomToGrow(err error) bool {
	text := err.Error()
	return strings.HasPrefix(text, "file resize error: ") &&
		slices.ContainsFunc([]error{syscall.EFBIG, syscall.ENOSPC, syscall.EDQUOT}, func(e error) bool {
			return strings.HasSuffix(text, e.Error())
		})
}

// boltError adds what an error of bbolt means.
func boltError(err error) error {
	switch {
	case err == nil, errors.Is(err, codec.ErrCorrupt), errors.Is(err, vfs.ErrFailed):
		return err
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("%w: %w", vfs.ErrLocked, err)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrInvalidMapping):
		return fmt.Errorf("%w: %w", codec.ErrCorrupt, err)
	case errors.Is(err, berrors.ErrVersionMismatch):
		return fmt.Errorf("%w: %w", codec.ErrVersion, err)
	case errors.Is(err, berrors.ErrDatabaseReadOnly):
		return errReadOnly
	case errors.Is(err, berrors.ErrDatabaseNotOpen):
		return fs.ErrClosed
	}
	return vfs.DiskError(err)
}

// boltTx is a transaction.
type boltTx struct {
	tx   *bbolt.Tx
	open [buckets]*bbolt.Bucket
}

// bucket returns a bucket, nil if there is none.
func (t *boltTx) bucket(b bucket) *bbolt.Bucket {
	if t.open[b] == nil {
		if t.open[b] = t.tx.Bucket(bucketNames[b]); t.open[b] != nil && b == payloads {
			t.open[b].FillPercent = appendFill
		}
	}
	return t.open[b]
}

func (t *boltTx) get(b bucket, key []byte) []byte { return t.bucket(b).Get(key) }

func (t *boltTx) scan(b bucket, from []byte, fn func(key, value []byte) (bool, error)) error {
	c := t.bucket(b).Cursor()
	for key, value := c.Seek(from); key != nil; key, value = c.Next() {
		if more, err := fn(key, value); err != nil || !more {
			return err
		}
	}
	return nil
}

func (t *boltTx) put(b bucket, key, value []byte) error { return t.bucket(b).Put(key, value) }

func (t *boltTx) delete(b bucket, key []byte) error { return t.bucket(b).Delete(key) }
