package tarn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/tarndb/tarn/collection"
	"github.com/tarndb/tarn/internal/vfs"
)

const (
	repairedPrefix = ".repaired-" // a repaired collection before it has its name
	damagedName    = "damaged"    // the folder that keeps damaged ones
)

// Repaired is what Repair did to one collection.
type Repaired struct {
	Collection string
	Sound      bool   // nothing was damaged, nothing was changed
	Points     int    // kept
	Lost       int    // points that cannot be read any more, or not be named
	Payloads   int    // of the points kept, those whose payload is lost
	Records    uint64 // of the log, lost between others that are whole: each was a batch of writes
	NoEnd      bool   // behind the last whole record of the log is what cannot be read: a write that a crash tore, or a loss
	Aside      string // where the damaged files are, relative to the database; "" if Sound
	Findings   []Finding
	Err        error // why it could not be repaired; it is as it was
}

// Repair salvages, in the closed database at path, every collection that cannot be
// opened or that Verify finds damaged: what is whole is written anew, the damaged
// files are kept aside in the folder damaged, and what is lost is said. Sound
// collections are not touched. It can be killed anywhere and called again.
//
//	collection ──salvage──> collections/.repaired-NAME, durable
//	collections/NAME ──rename──> damaged/NAME.N ; .repaired-NAME ──rename──> NAME
func Repair(ctx context.Context, path string) ([]Repaired, error) {
	all, err := repair(ctx, path)
	if err != nil {
		return all, fmt.Errorf("repair database %q: %w", path, err)
	}
	return all, nil
}

func repair(ctx context.Context, path string) (all []Repaired, err error) {
	dir, err := openDirectory(path, true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if _, err := dir.Stat(homeName); err != nil {
		return nil, fmt.Errorf("%w: the directory holds no database", ErrNotFound)
	}
	lock, err := dir.Lock(lockName, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := repairHeader(dir); err != nil {
		return nil, err
	}
	home, err := dir.Sub(homeName)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, home.Close()) }()
	names, err := finishRepairs(home)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		r := Repaired{Collection: name}
		if err := repairCollection(ctx, dir, home, &r); err != nil {
			if ctx.Err() != nil {
				return all, ctx.Err()
			}
			r.Err = err
		}
		all = append(all, r)
	}
	return all, nil
}

// repairHeader writes tarn.db anew if it is missing or damaged.
func repairHeader(dir vfs.FS) error {
	err := readHeader(dir)
	if err == nil || !errors.Is(err, ErrCorrupt) && !isNotExist(err) {
		return err
	}
	if !isNotExist(err) {
		if err := aside(dir, headerName, headerName); err != nil {
			return err
		}
	}
	return prepareLayout(dir, false)
}

// aside moves a file or folder to damaged/NAME.N.
func aside(dir vfs.FS, from, name string) error {
	_, err := asideTo(dir, from, name)
	return err
}

func asideTo(dir vfs.FS, from, name string) (to string, err error) {
	if mustNotExist(dir, damagedName) == nil {
		if err := dir.Mkdir(damagedName); err != nil {
			return "", err
		}
	}
	for n := 1; ; n++ {
		to = fmt.Sprintf("%s/%s.%d", damagedName, name, n)
		if err := mustNotExist(dir, to); err == nil {
			break
		} else if !errors.Is(err, ErrExists) {
			return "", err
		}
	}
	if err := dir.Rename(from, to); err != nil {
		return "", err
	}
	return to, errors.Join(dir.SyncDir(damagedName), dir.SyncDir("."))
}

// finishRepairs gives a repaired collection its name if a kill came between the
// two renames, removes it if it came before, and returns the collections.
func finishRepairs(home vfs.FS) ([]string, error) {
	entries, err := home.List(".")
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, e := range entries {
		if e.Dir && checkName(e.Name) == nil {
			names[e.Name] = true
		}
	}
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name, repairedPrefix)
		switch {
		case !ok || checkName(name) != nil:
		case names[name]:
			if err := home.RemoveAll(e.Name); err != nil {
				return nil, err
			}
		default:
			if err := errors.Join(home.Rename(e.Name, name), home.SyncDir(".")); err != nil {
				return nil, err
			}
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// unfinished returns a collection that has only the name of a repair, "" if there is
// none.
func unfinished(entries []vfs.Entry) string {
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name, repairedPrefix)
		if ok && checkName(name) == nil && !slices.ContainsFunc(entries, func(e vfs.Entry) bool { return e.Name == name }) {
			return name
		}
	}
	return ""
}

// repairCollection repairs one if it must.
func repairCollection(ctx context.Context, dir, home vfs.FS, r *Repaired) error {
	name := r.Collection
	found := func(f collection.Finding) {
		r.Findings = append(r.Findings, Finding{Collection: name, File: homeName + "/" + name + "/" + f.File, Offset: f.Offset, Problem: f.Problem})
	}
	sound, err := inspectCollection(ctx, home, name, r, found)
	if err != nil || sound {
		return err
	}
	tmp := repairedPrefix + name
	sum, err := salvageTo(ctx, home, name, tmp, found)
	if err != nil {
		return errors.Join(err, home.RemoveAll(tmp))
	}
	if err := home.SyncDir("."); err != nil { // its name, before the other has none
		return err
	}
	r.Points, r.Lost, r.Payloads, r.Records, r.NoEnd = sum.Points, sum.Lost, sum.Payloads, sum.Records, sum.NoEnd
	if r.Aside, err = asideTo(dir, homeName+"/"+name, name); err != nil {
		return err
	}
	return errors.Join(home.Rename(tmp, name), home.SyncDir("."))
}

// inspectCollection opens and verifies a collection without writing.
func inspectCollection(ctx context.Context, home vfs.FS, name string, r *Repaired, found func(collection.Finding)) (sound bool, err error) {
	dir, err := home.Sub(name)
	if err != nil {
		return false, err
	}
	c, err := collection.Open(collection.Options{
		Name: name, FS: dir, ReadOnly: true, Logger: slog.New(slog.DiscardHandler),
		MaxPayload: DefaultMaxPayload, MaxK: DefaultMaxK,
	})
	if errors.Is(err, ErrVersion) {
		return false, err // it is newer, not damaged
	}
	if err != nil {
		found(collection.Finding{File: ".", Offset: -1, Problem: err.Error()})
		return false, nil
	}
	before := len(r.Findings)
	v, err := collection.Verify(ctx, c, found)
	r.Points = v.Points
	if e := c.Close(); err == nil && e != nil && len(r.Findings) == before {
		found(collection.Finding{File: ".", Offset: -1, Problem: e.Error()})
	}
	if err != nil && ctx.Err() == nil {
		found(collection.Finding{File: ".", Offset: -1, Problem: err.Error()})
		err = nil
	}
	r.Sound = err == nil && len(r.Findings) == before
	return r.Sound, err
}

// salvageTo writes what is whole of a collection to the folder tmp.
func salvageTo(ctx context.Context, home vfs.FS, name, tmp string, found func(collection.Finding)) (collection.Salvaged, error) {
	from, err := home.Sub(name)
	if err != nil {
		return collection.Salvaged{}, err
	}
	defer from.Close() // only read
	if err := home.RemoveAll(tmp); err != nil {
		return collection.Salvaged{}, err
	}
	if err := home.Mkdir(tmp); err != nil {
		return collection.Salvaged{}, err
	}
	to, err := home.Sub(tmp)
	if err != nil {
		return collection.Salvaged{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &blockPipe{ctx: ctx, blocks: make(chan block)}
	var sum collection.Salvaged
	done := make(chan error, 1)
	go func() {
		var err error
		sum, err = collection.Salvage(ctx, from, p, found)
		close(p.blocks)
		done <- err
	}()
	_, err = collection.Restore(ctx, to, p, newUUID())
	cancel()
	if e := <-done; e != nil && (err == nil || !errors.Is(e, context.Canceled)) {
		err = e // what Restore says follows from it, unless Restore ended first
	}
	return sum, errors.Join(err, to.Close())
}

// blockPipe hands blocks from Salvage to Restore.
type blockPipe struct {
	ctx    context.Context
	blocks chan block
}

type block struct {
	kind uint8
	data []byte
}

func (p *blockPipe) Write(kind uint8, data []byte) error {
	select {
	case p.blocks <- block{kind, slices.Clone(data)}:
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

func (p *blockPipe) Next() (uint8, []byte, error) {
	b, ok := <-p.blocks
	if !ok {
		return 0, nil, io.EOF
	}
	return b.kind, b.data, nil
}
