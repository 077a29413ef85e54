package tarn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/tarndb/tarn/collection"
	"github.com/tarndb/tarn/internal/vfs"
)

// DB is an open database: a directory of collections.
type DB struct {
	path string
	opts Options
	fs   vfs.FS // the directory
	home vfs.FS // its folder of collections
	lock io.Closer

	mu          sync.Mutex
	collections map[string]*Collection
	closed      bool
}

// Open opens the database in directory path, creating it (0700) if it does not
// exist. One process at a time may hold it for writing: a second Open, from this
// process or another, fails at once with ErrLocked. nil opts means the zero
// Options. Every collection is opened with it: its configuration, streaming
// included, is back in force when Open returns.
func Open(path string, opts *Options) (*DB, error) {
	if err := collection.Supported(); err != nil {
		return nil, fmt.Errorf("open database %q: %w", path, err)
	}
	o := opts.withDefaults()
	dir, err := openDirectory(path, o.ReadOnly)
	if err != nil {
		return nil, fmt.Errorf("open database %q: %w", path, err)
	}
	db, err := openDB(dir, path, o)
	if err != nil {
		return nil, fmt.Errorf("open database %q: %w", path, errors.Join(err, dir.Close()))
	}
	return db, nil
}

// openDB opens the database in dir, which it closes only when it succeeds and is
// closed.
func openDB(dir vfs.FS, path string, o Options) (_ *DB, err error) {
	if err := checkForeign(dir, o.ReadOnly); err != nil {
		return nil, err
	}
	opened := &DB{path: path, opts: o, fs: dir, collections: map[string]*Collection{}}
	if opened.lock, err = dir.Lock(lockName, o.ReadOnly); err != nil {
		return nil, err
	}
	if err := opened.open(); err != nil {
		return nil, errors.Join(err, opened.closeAll(), opened.lock.Close())
	}
	return opened, nil
}

// open does what comes once the directory is locked.
func (db *DB) open() error {
	err := prepareLayout(db.fs, db.opts.ReadOnly)
	if err != nil {
		return err
	}
	if db.home, err = db.fs.Sub(homeName); err != nil {
		return misplaced(homeName, err)
	}
	if !db.opts.ReadOnly {
		// A process that was killed may have made names and not synced them.
		if err := errors.Join(db.fs.SyncDir("."), db.home.SyncDir(".")); err != nil {
			return err
		}
	}
	return db.openAll()
}

// misplaced says of what is missing, or is no folder or file as it should be, that this is damage.
func misplaced(name string, err error) error {
	if isNotExist(err) || errors.Is(err, fs.ErrInvalid) {
		return fmt.Errorf("%s: %w: %w", name, ErrCorrupt, err)
	}
	return err
}

// openAll opens every collection, removes what a crash left of a creation or a drop,
// and finishes a repair that one ended.
func (db *DB) openAll() error {
	if !db.opts.ReadOnly {
		if _, err := finishRepairs(db.home); err != nil {
			return err
		}
	}
	entries, err := db.home.List(".")
	if err != nil {
		return err
	}
	if name := unfinished(entries); name != "" {
		return fmt.Errorf("collection %q: %w: its repair was ended before it had its name back: call Repair", name, ErrCorrupt)
	}
	for _, e := range entries {
		if isLeftover(e.Name) && !db.opts.ReadOnly {
			if err := db.home.RemoveAll(e.Name); err != nil {
				return err
			}
		}
		if !e.Dir || checkName(e.Name) != nil {
			continue
		}
		if _, err := db.openCollection(e.Name); err != nil {
			return err
		}
	}
	return nil
}

// openCollection opens the folder of a collection and registers it.
func (db *DB) openCollection(name string) (*Collection, error) {
	dir, err := db.home.Sub(name)
	if err != nil {
		return nil, fmt.Errorf("collection %q: %w", name, err)
	}
	c, err := collection.Open(collection.Options{
		Name: name, FS: dir, ReadOnly: db.opts.ReadOnly, Logger: db.opts.Logger,
		MaxPayload: db.opts.MaxPayload, MaxK: db.opts.MaxK,
		Knobs: db.opts.knobs,
	})
	if err != nil {
		return nil, err
	}
	db.collections[name] = c
	return c, nil
}

// CreateCollection creates a collection. Errors: ErrExists, ErrInvalidName,
// ErrInvalidConfig (all bad fields in one).
func (db *DB) CreateCollection(ctx context.Context, name string, cfg CollectionConfig) (*Collection, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := db.check(ctx, name); err != nil {
		return nil, err
	}
	if db.collections[name] != nil {
		return nil, fmt.Errorf("collection %q: %w", name, ErrExists)
	}
	return db.create(name, cfg)
}

// EnsureCollection opens a collection or creates it. ErrConfigMismatch if Dim,
// Metric or Keys differ; the rest of cfg counts only when it creates.
func (db *DB) EnsureCollection(ctx context.Context, name string, cfg CollectionConfig) (*Collection, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := db.check(ctx, name); err != nil {
		return nil, err
	}
	c := db.collections[name]
	if c == nil {
		return db.create(name, cfg)
	}
	if have := c.Config(); have.Dim != cfg.Dim || have.Metric != cfg.Metric || have.Keys != cfg.Keys {
		return nil, fmt.Errorf("collection %q: %w: it has Dim %d, Metric %v, Keys %v, not %d, %v, %v",
			name, ErrConfigMismatch, have.Dim, have.Metric, have.Keys, cfg.Dim, cfg.Metric, cfg.Keys)
	}
	return c, nil
}

// check is what every call that names a collection begins with.
func (db *DB) check(ctx context.Context, name string) error {
	if db.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return checkName(name)
}

// create makes the folder under a temporary name, durable, and renames it.
func (db *DB) create(name string, cfg CollectionConfig) (*Collection, error) {
	if db.opts.ReadOnly {
		return nil, fmt.Errorf("collection %q: %w", name, ErrReadOnly)
	}
	if err := cfg.Validate(db.opts.MaxDim); err != nil {
		return nil, fmt.Errorf("collection %q: %w", name, err)
	}
	tmp := newPrefix + name
	err := db.home.RemoveAll(tmp)
	if err == nil {
		err = db.layOut(tmp, cfg)
	}
	if err == nil {
		err = db.home.Rename(tmp, name)
	}
	if err != nil {
		return nil, fmt.Errorf("create collection %q: %w", name, errors.Join(err, db.home.RemoveAll(tmp)))
	}
	if err := db.home.SyncDir("."); err != nil {
		// A create that failed leaves the name free.
		return nil, fmt.Errorf("create collection %q: %w", name, errors.Join(err, db.discard(name)))
	}
	c, err := db.openCollection(name)
	if err != nil {
		return nil, errors.Join(err, db.discard(name)) // nobody has heard of it yet
	}
	return c, nil
}

// discard takes a collection, which is closed, and its folder out of the database,
// durably, and removes the folder. If that cannot be moved the name stays taken, and
// the next DropCollection tries again.
func (db *DB) discard(name string) error {
	gone := dropPrefix + name
	err := db.home.RemoveAll(gone)
	if err == nil {
		err = db.home.Rename(name, gone)
	}
	if err == nil {
		delete(db.collections, name)
		err = db.home.SyncDir(".")
	}
	if err == nil {
		err = db.home.RemoveAll(gone)
	}
	return err
}

func (db *DB) layOut(tmp string, cfg CollectionConfig) error {
	if err := db.home.Mkdir(tmp); err != nil {
		return err
	}
	dir, err := db.home.Sub(tmp)
	if err != nil {
		return err
	}
	defer dir.Close()
	return collection.Create(dir, cfg, newUUID())
}

// Collection returns an open collection, the same every time, or ErrNotFound, which
// tells what collections there are.
func (db *DB) Collection(name string) (*Collection, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := db.check(context.Background(), name); err != nil {
		return nil, err
	}
	if c := db.collections[name]; c != nil {
		return c, nil
	}
	return nil, db.unknown(name)
}

// mostNames is how many collections an error names.
const mostNames = 10

// unknown is the error of a name that no collection has: most likely it was mistyped.
func (db *DB) unknown(name string) error {
	names := slices.Sorted(maps.Keys(db.collections))
	have := "there are none, CreateCollection makes one"
	if len(names) > 0 {
		have = "there are: " + strings.Join(names[:min(len(names), mostNames)], ", ")
	}
	if more := len(names) - mostNames; more > 0 {
		have += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Errorf("collection %q: %w; %s", name, ErrNotFound, have)
}

// DropCollection removes a collection and its files. Its handles return ErrClosed
// from then on.
func (db *DB) DropCollection(ctx context.Context, name string) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := db.check(ctx, name); err != nil {
		return err
	}
	if db.opts.ReadOnly {
		return fmt.Errorf("collection %q: %w", name, ErrReadOnly)
	}
	c := db.collections[name]
	if c == nil {
		return db.unknown(name)
	}
	c.Drop()
	if err := db.discard(name); err != nil {
		return fmt.Errorf("drop collection %q: %w", name, err)
	}
	return nil
}

// Collections returns the names of all collections, sorted; nil after Close.
func (db *DB) Collections() []string {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return nil
	}
	return slices.Sorted(maps.Keys(db.collections))
}

// Close drains every stream, checkpoints, and releases the directory. It is
// idempotent (nil again); afterwards every other call returns ErrClosed. The first
// background error that nobody was told of is returned.
func (db *DB) Close() error {
	if db == nil {
		return nil
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return nil
	}
	db.closed = true
	err := errors.Join(db.closeAll(), db.lock.Close(), db.fs.Close())
	if err != nil {
		return fmt.Errorf("close database %q: %w", db.path, err)
	}
	return nil
}

func (db *DB) closeAll() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(db.collections)) {
		errs = append(errs, db.collections[name].Close())
	}
	if db.home != nil {
		errs = append(errs, db.home.Close())
	}
	return errors.Join(errs...)
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
