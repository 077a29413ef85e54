package tarn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"github.com/tarndb/tarn/collection"
	"github.com/tarndb/tarn/internal/archive"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// A backup is an archive of blocks (internal/archive). Per collection, in the
// order of their names: a block of kind 1 with its name, then what
// collection.Backup writes, kinds 2 and up. Wire format.
const blockName = 1

// restoreSuffix ends the name of a folder beside the one that Restore makes,
// until all of it has been checked.
const restoreSuffix = ".restoring"

// Backup writes the whole database to w while writes and searches go on: each
// collection as it is at one moment after the call, with its configuration
// (streaming included) and its places in sources. What w takes is checked by
// Restore to the last bit; it is compressed where that pays. A backup that ended
// with an error is none.
func (db *DB) Backup(ctx context.Context, w io.Writer) error {
	if err := db.backup(ctx, w); err != nil {
		return fmt.Errorf("backup of database %q: %w", db.path, err)
	}
	return nil
}

func (db *DB) backup(ctx context.Context, w io.Writer) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if db.isClosed() {
		return ErrClosed
	}
	out := archive.NewWriter(w, newUUID())
	for _, name := range db.Collections() {
		c, err := db.Collection(name)
		if errors.Is(err, ErrNotFound) {
			continue // dropped since
		}
		if err != nil {
			return err
		}
		if err := out.Write(blockName, []byte(name)); err != nil {
			return err
		}
		if err := collection.Backup(ctx, c, out); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if db.isClosed() {
		return ErrClosed
	}
	return out.Close()
}

func (db *DB) isClosed() bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.closed
}

// Restore makes, at path, the database that Backup wrote. Nothing may be at path
// (ErrExists). All is checked, written beside path, made durable and opened once
// before it gets its name; after an error, ErrCorrupt for one, nothing is left.
// The restored database is one of its own: what is written to it and to the one
// that was backed up never mixes.
func Restore(ctx context.Context, path string, r io.Reader) error {
	if err := restore(ctx, path, r); err != nil {
		return fmt.Errorf("restore database %q: %w", path, err)
	}
	return nil
}

func restore(ctx context.Context, path string, r io.Reader) error {
	if path == "" {
		return fmt.Errorf("%w: the path is empty", ErrInvalidArgument)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	above := filepath.Dir(abs)
	known := existing(above)
	parent, err := vfs.CreateOS(above)
	if err == nil {
		err = errors.Join(restoreIn(ctx, parent, filepath.Base(abs), r), parent.Close())
	}
	if err != nil {
		removeEmpty(above, known)
	}
	return err
}

// existing returns the folder that is there, of path and those above it.
func existing(path string) string {
	for {
		dir, err := vfs.OS(path)
		if err == nil {
			_ = dir.Close() // it was only looked for
		}
		if !isNotExist(err) || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}

// removeEmpty removes path and the folders above it, up to one that stays; what
// somebody has put something into meanwhile stays too.
func removeEmpty(path, stays string) {
	for path != stays {
		name := filepath.Base(path)
		path = filepath.Dir(path)
		dir, err := vfs.OS(path)
		if err != nil {
			continue // it was not made
		}
		if err := errors.Join(dir.Remove(name), dir.Close()); err != nil && !isNotExist(err) {
			return
		}
	}
}

// restoreIn makes the folder name in parent.
//
//	lock name.restoring ──> lay out, check, fsync ──> open, close ──> rename ──> fsync parent ──> unlock
func restoreIn(ctx context.Context, parent vfs.FS, name string, r io.Reader) (err error) {
	if err := mustNotExist(parent, name); err != nil {
		return err
	}
	in, err := archive.NewReader(r)
	if err != nil {
		return err
	}
	tmp := name + restoreSuffix
	dir, lock, err := claim(parent, tmp)
	if err != nil {
		return err
	}
	points, err := layOutAll(ctx, dir, in)
	if err == nil {
		err = dir.SyncDir(".")
	}
	if err == nil {
		err = tryOut(parent, tmp, points)
	}
	if err == nil {
		err = mustNotExist(parent, name)
	}
	if err == nil {
		err = ctx.Err()
	}
	// Who finds tmp unlocked takes it for what a killed restore left, and empties it.
	unlock := sync.OnceValue(func() error { return errors.Join(lock.Close(), dir.Close()) })
	defer func() { err = errors.Join(err, unlock()) }()
	if runtime.GOOS == "windows" { // moves no folder in which a file is open: also not one that another restore has taken
		err = errors.Join(err, unlock())
	}
	if err == nil {
		err = parent.Rename(tmp, name)
	}
	if err != nil {
		return errors.Join(err, parent.RemoveAll(tmp))
	}
	return parent.SyncDir(".")
}

func mustNotExist(parent vfs.FS, name string) error {
	_, err := parent.Stat(name)
	switch {
	case err == nil:
		return fmt.Errorf("%w: give a path at which nothing is, not even an empty folder", ErrExists)
	case isNotExist(err):
		return nil
	}
	return err
}

// claim makes the temporary folder, empty and locked: of two restores to one path
// the second gets ErrLocked, and what a killed one left is removed, which is a folder
// with a lock or an empty one. Anything else of that name is ErrExists.
func claim(parent vfs.FS, tmp string) (dir vfs.FS, lock io.Closer, err error) {
	taken := fmt.Errorf("%w: %s, in which it would be made, is there, and no restore has left it: move it away", ErrExists, tmp)
	e, err := parent.Stat(tmp)
	if isNotExist(err) {
		e.Dir, err = true, parent.Mkdir(tmp)
	}
	if err == nil && !e.Dir {
		err = taken
	}
	if err != nil {
		return nil, nil, err
	}
	if dir, err = parent.Sub(tmp); err != nil {
		return nil, nil, err
	}
	entries, err := dir.List(".")
	if err == nil && len(entries) > 0 && !slices.ContainsFunc(entries, func(e vfs.Entry) bool { return e.Name == lockName && e.Regular }) {
		err = taken
	}
	if err == nil {
		lock, err = dir.Lock(lockName, false)
	}
	if err != nil {
		return nil, nil, errors.Join(err, dir.Close())
	}
	err = stillThere(parent, tmp, dir)
	for _, e := range entries {
		if err == nil && e.Name != lockName {
			err = dir.RemoveAll(e.Name)
		}
	}
	if err != nil {
		return nil, nil, errors.Join(err, lock.Close(), dir.Close())
	}
	return dir, lock, nil
}

// stillThere makes sure that the folder that is locked now has kept its name: another
// restore may have finished it, or given it up, since it was opened.
func stillThere(parent vfs.FS, name string, dir vfs.FS) error {
	now, err := parent.Sub(name)
	if isNotExist(err) {
		return fmt.Errorf("%s: %w: by a restore that has just ended", name, ErrLocked)
	}
	if err != nil {
		return err
	}
	same, err := vfs.Same(now, dir)
	if err == nil && !same {
		err = fmt.Errorf("%s: %w: by another restore", name, ErrLocked)
	}
	return errors.Join(err, now.Close())
}

// unlocked is a folder that who opens it need not lock: its lock is held.
type unlocked struct{ vfs.FS }

func (unlocked) Lock(string, bool) (io.Closer, error) { return io.NopCloser(nil), nil }

// layOutAll makes every collection of the archive, and returns how many points
// each has.
func layOutAll(ctx context.Context, dir vfs.FS, in *archive.Reader) (map[string]int, error) {
	if err := prepareLayout(dir, false); err != nil {
		return nil, err
	}
	home, err := dir.Sub(homeName)
	if err != nil {
		return nil, err
	}
	defer home.Close() // synced below
	points := map[string]int{}
	for {
		kind, data, err := in.Next()
		if errors.Is(err, io.EOF) {
			return points, home.SyncDir(".")
		}
		if err != nil {
			return nil, err
		}
		name := string(data)
		if _, twice := points[name]; kind != blockName || twice || checkName(name) != nil {
			return nil, fmt.Errorf("backup: %w: a block of kind %d where a collection begins", ErrCorrupt, kind)
		}
		if points[name], err = restoreCollection(ctx, home, name, in); err != nil {
			return nil, fmt.Errorf("collection %q: %w", name, err)
		}
	}
}

func restoreCollection(ctx context.Context, home vfs.FS, name string, in *archive.Reader) (int, error) {
	if err := home.Mkdir(name); err != nil {
		return 0, err
	}
	dir, err := home.Sub(name)
	if err != nil {
		return 0, err
	}
	r, err := collection.Restore(ctx, dir, in, newUUID())
	return r.Live, errors.Join(err, dir.Close())
}

// tryOut opens what was restored, without writing, and counts.
func tryOut(parent vfs.FS, tmp string, points map[string]int) error {
	dir, err := parent.Sub(tmp)
	if err != nil {
		return err
	}
	db, err := openDB(unlocked{dir}, tmp, (&Options{ReadOnly: true}).withDefaults())
	if err != nil {
		return errors.Join(err, dir.Close())
	}
	for name, want := range points {
		if c := db.collections[name]; c == nil || c.Len() != want {
			err = errors.Join(err, fmt.Errorf("collection %q: %w: it does not hold the %d points that were written", name, codec.ErrCorrupt, want))
		}
	}
	return errors.Join(err, db.Close())
}
