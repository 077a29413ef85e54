package vfs

import (
	"io"
	"os"
	"path"
	"slices"
	"sync"
	"time"
)

// Op is a kind of operation.
type Op uint8

// The operations that an Inject sees. Those up to OpAllocate change the disk or
// what is known to be on it.
const (
	OpCreate Op = iota
	OpRemove
	OpRemoveAll
	OpRename
	OpMkdir
	OpSyncDir
	OpWrite
	OpSync
	OpSyncData
	OpTruncate
	OpAllocate
	OpOpen
	OpOpenRW
	OpList
	OpStat
	OpLock
	OpSub
	OpRead
	OpSize
	OpMap
	OpDropCache
	OpClose
	opCount
)

var opNames = [opCount]string{
	"create", "remove", "remove all", "rename", "mkdir", "sync folder", "write", "sync", "sync data", "truncate",
	"allocate", "open", "open for writing", "list", "stat", "lock", "sub", "read", "size", "map", "drop cache", "close",
}

func (o Op) String() string { return opNames[o] }

// Mutates reports whether the operation changes the disk, or what is known to be on
// it: the steps at which a power cut is worth a test.
func (o Op) Mutates() bool { return o <= OpAllocate }

// Call is one operation as hooks see it.
type Call struct {
	Op      Op
	Name    string // from the top of the Inject
	NewName string // of a rename
	Off     int64
	Len     int64
}

// Fault puts errors or delays into the calls it matches. Its fields are not
// changed once it is in an Inject.
type Fault struct {
	Ops   []Op                   // none: every kind
	Glob  string                 // as path.Match has it, against the name or its last part; "": every name
	When  func(Call) bool        // nil: always
	Skip  int                    // so many matching calls go through first
	Count int                    // then so many are hit; 0: all that follow
	Err   error                  // nil: no error, only the delay; of an fsync it is ErrFailed as well
	Short func(n int) int        // bytes that a failing write writes all the same; nil: none
	Lose  bool                   // a failing Sync leaves the pages of a Mem clean and not on the disk
	Delay time.Duration          // before the call
	Hit   func(call Call, n int) // called with the number of the hit, from 1

	seen, hits int
}

// Inject is another FS with faults and hooks put in. All of its Subs share them.
type Inject struct {
	fs    FS
	dir   string
	state *injectState
}

type injectState struct {
	mu     sync.Mutex
	faults []*Fault
	before []func(Call)
	after  []func(Call, error)
	calls  [opCount]int
}

// NewInject returns fs with faults.
func NewInject(fs FS, faults ...*Fault) *Inject {
	return &Inject{fs, ".", &injectState{faults: faults}}
}

// Add puts in one more fault.
func (i *Inject) Add(f *Fault) {
	i.state.mu.Lock()
	defer i.state.mu.Unlock()
	i.state.faults = append(slices.Clip(i.state.faults), f)
}

// Clear takes all faults out.
func (i *Inject) Clear() {
	i.state.mu.Lock()
	defer i.state.mu.Unlock()
	i.state.faults = nil
}

// Before adds a hook that is called before each operation, on the goroutine that
// asks for it. It may use the FS inside, not the Inject.
func (i *Inject) Before(hook func(Call)) {
	i.state.mu.Lock()
	defer i.state.mu.Unlock()
	i.state.before = append(slices.Clip(i.state.before), hook)
}

// After adds a hook that is called after each operation.
func (i *Inject) After(hook func(Call, error)) {
	i.state.mu.Lock()
	defer i.state.mu.Unlock()
	i.state.after = append(slices.Clip(i.state.after), hook)
}

// Calls returns how often operations of a kind were asked for.
func (i *Inject) Calls(op Op) int {
	i.state.mu.Lock()
	defer i.state.mu.Unlock()
	return i.state.calls[op]
}

// Hits returns how often a fault struck.
func (i *Inject) Hits(f *Fault) int {
	i.state.mu.Lock()
	defer i.state.mu.Unlock()
	return f.hits
}

func (f *Fault) matches(c Call) bool {
	if len(f.Ops) > 0 && !slices.Contains(f.Ops, c.Op) {
		return false
	}
	if f.Glob != "" {
		whole, _ := path.Match(f.Glob, c.Name)
		last, _ := path.Match(f.Glob, path.Base(c.Name))
		if !whole && !last {
			return false
		}
	}
	return f.When == nil || f.When(c)
}

// enter counts a call and returns the fault that strikes it, if any.
func (s *injectState) enter(c Call) *Fault {
	s.mu.Lock()
	s.calls[c.Op]++
	before := s.before
	var struck *Fault
	var hit int
	for _, f := range s.faults {
		if !f.matches(c) {
			continue
		}
		f.seen++
		if f.seen <= f.Skip || f.Count > 0 && f.hits >= f.Count {
			continue
		}
		f.hits++
		struck, hit = f, f.hits
		break
	}
	s.mu.Unlock()
	for _, hook := range before {
		hook(c)
	}
	if struck == nil {
		return nil
	}
	if struck.Hit != nil {
		struck.Hit(c, hit)
	}
	if struck.Delay > 0 {
		time.Sleep(struck.Delay)
	}
	if struck.Err == nil {
		return nil
	}
	return struck
}

// do runs one operation.
func (s *injectState) do(c Call, call func() error) error {
	f := s.enter(c)
	var err error
	switch {
	case f == nil:
		err = call()
	case c.Op == OpSyncDir:
		err = syncError(f.Err)
	default:
		err = f.Err
	}
	s.leave(c, err)
	return err
}

func (s *injectState) leave(c Call, err error) {
	s.mu.Lock()
	after := s.after
	s.mu.Unlock()
	for _, hook := range after {
		hook(c, err)
	}
}

func (i *Inject) full(name string) string { return path.Join(i.dir, name) }

func (i *Inject) file(op Op, name string, open func(string) (File, error)) (File, error) {
	var f File
	err := i.state.do(Call{Op: op, Name: i.full(name)}, func() (err error) {
		f, err = open(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &injectFile{f, i.full(name), i.state}, nil
}

func (i *Inject) Create(name string) (File, error) { return i.file(OpCreate, name, i.fs.Create) }
func (i *Inject) Open(name string) (File, error)   { return i.file(OpOpen, name, i.fs.Open) }
func (i *Inject) OpenRW(name string) (File, error) { return i.file(OpOpenRW, name, i.fs.OpenRW) }

func (i *Inject) name(op Op, name string, call func(string) error) error {
	return i.state.do(Call{Op: op, Name: i.full(name)}, func() error { return call(name) })
}

func (i *Inject) Remove(name string) error    { return i.name(OpRemove, name, i.fs.Remove) }
func (i *Inject) RemoveAll(name string) error { return i.name(OpRemoveAll, name, i.fs.RemoveAll) }
func (i *Inject) Mkdir(name string) error     { return i.name(OpMkdir, name, i.fs.Mkdir) }
func (i *Inject) SyncDir(name string) error   { return i.name(OpSyncDir, name, i.fs.SyncDir) }

func (i *Inject) Rename(oldname, newname string) error {
	c := Call{Op: OpRename, Name: i.full(oldname), NewName: i.full(newname)}
	return i.state.do(c, func() error { return i.fs.Rename(oldname, newname) })
}

func (i *Inject) List(name string) (entries []Entry, err error) {
	err = i.name(OpList, name, func(name string) (err error) {
		entries, err = i.fs.List(name)
		return err
	})
	return entries, err
}

func (i *Inject) Stat(name string) (e Entry, err error) {
	err = i.name(OpStat, name, func(name string) (err error) {
		e, err = i.fs.Stat(name)
		return err
	})
	return e, err
}

func (i *Inject) Lock(name string, shared bool) (l io.Closer, err error) {
	err = i.name(OpLock, name, func(name string) (err error) {
		l, err = i.fs.Lock(name, shared)
		return err
	})
	return l, err
}

func (i *Inject) Sub(name string) (FS, error) {
	var sub FS
	err := i.name(OpSub, name, func(name string) (err error) {
		sub, err = i.fs.Sub(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &Inject{sub, i.full(name), i.state}, nil
}

// Path returns the inner FS's path.
func (i *Inject) Path(name string) string { return i.fs.Path(name) }

// OSFile is not injected: what a library does with its file is not seen.
func (i *Inject) OSFile(name string, flag int) (*os.File, error) { return i.fs.OSFile(name, flag) }

// Close closes the inner FS.
func (i *Inject) Close() error { return i.fs.Close() }
