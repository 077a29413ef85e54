package vfs

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
)

// Mem is a directory tree in memory that remembers what would be on a disk: see
// Crash. Its names have no Path.
//
//	folder: entries (seen) | changes since SyncDir | stable (on the disk)
//	file:   pages  (seen)  | versions since Sync   | stable (on the disk)
type Mem struct {
	tree *memTree
	root *memNode
}

// memTree is shared by all Mems of one disk.
type memTree struct {
	mu    sync.Mutex
	top   *memNode
	locks map[*memNode]int // -1: exclusive, above 0: that many shared
	used  int64            // pages that files have
	limit int64            // of used, 0: none
}

// memNode is a folder or a file.
type memNode struct {
	dir bool

	// of a folder
	entries map[string]*memNode
	stable  map[string]*memNode
	changes []*memChange

	memContent // of a file
}

// memChange is what reaches the disk together: one name, or the two of a rename.
type memChange struct {
	steps []memStep
	done  bool
}

type memStep struct {
	dir  *memNode
	name string
	node *memNode // nil: the name is gone
}

func newFolder() *memNode {
	return &memNode{dir: true, entries: map[string]*memNode{}, stable: map[string]*memNode{}}
}

// NewMem returns an empty disk.
func NewMem() *Mem {
	top := newFolder()
	return &Mem{&memTree{top: top, locks: map[*memNode]int{}}, top}
}

// SetCapacity limits the disk to so many bytes, counted in pages; 0: no limit.
func (m *Mem) SetCapacity(bytes int64) {
	m.tree.mu.Lock()
	defer m.tree.mu.Unlock()
	m.tree.limit = bytes / memPageSize
}

// Used returns the bytes of all pages that files have.
func (m *Mem) Used() int64 {
	m.tree.mu.Lock()
	defer m.tree.mu.Unlock()
	return m.tree.used * memPageSize
}

func memError(op, name string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }

// lookup returns the node of a name, nil if there is none.
func (m *Mem) lookup(name string) *memNode {
	n := m.root
	if name == "." {
		return n
	}
	for part := range strings.SplitSeq(name, "/") {
		if n == nil || !n.dir {
			return nil
		}
		n = n.entries[part]
	}
	return n
}

// parent returns the folder that a name is in, and the last part of the name.
func (m *Mem) parent(op, name string) (*memNode, string, error) {
	if !fs.ValidPath(name) || name == "." {
		return nil, "", memError(op, name, fs.ErrInvalid)
	}
	dir, base := path.Split(name)
	p := m.lookup(path.Clean(dir))
	if p == nil || !p.dir {
		return nil, "", memError(op, name, fs.ErrNotExist)
	}
	return p, base, nil
}

// change sets names, as one step towards the disk.
func (t *memTree) change(steps ...memStep) {
	c := &memChange{steps: steps}
	for i, s := range steps {
		if old := s.dir.entries[s.name]; old != nil && !slices.ContainsFunc(steps, func(x memStep) bool { return x.node == old }) {
			t.used -= old.pagesHeld()
		}
		if s.node == nil {
			delete(s.dir.entries, s.name)
		} else {
			s.dir.entries[s.name] = s.node
		}
		if i == 0 || s.dir != steps[0].dir {
			s.dir.changes = append(s.dir.changes, c)
		}
	}
}

func (n *memNode) pagesHeld() int64 {
	held := n.allocated()
	for _, e := range n.entries {
		held += e.pagesHeld()
	}
	return held
}

// flush makes the names of a folder stable, and with a rename those of the other.
func (n *memNode) flush() {
	changes := n.changes
	n.changes = nil
	for _, c := range changes {
		if c.done {
			continue
		}
		for _, s := range c.steps {
			if s.dir != n {
				s.dir.flushUntil(c)
			}
		}
		c.apply(func(d *memNode) map[string]*memNode { return d.stable })
	}
}

// flushUntil makes stable what came before c in another folder.
func (n *memNode) flushUntil(c *memChange) {
	i := slices.Index(n.changes, c)
	if i < 0 {
		return
	}
	rest := n.changes[i:]
	n.changes = n.changes[:i]
	n.flush()
	n.changes = rest
}

func (c *memChange) apply(names func(*memNode) map[string]*memNode) {
	c.done = true
	for _, s := range c.steps {
		if s.node == nil {
			delete(names(s.dir), s.name)
		} else {
			names(s.dir)[s.name] = s.node
		}
	}
}

// Create makes a file.
func (m *Mem) Create(name string) (File, error) {
	m.tree.mu.Lock()
	defer m.tree.mu.Unlock()
	dir, base, err := m.parent("create", name)
	if err != nil {
		return nil, err
	}
	if dir.entries[base] != nil {
		return nil, memError("create", name, fs.ErrExist)
	}
	n := &memNode{}
	m.tree.change(memStep{dir, base, n})
	return &memFile{tree: m.tree, node: n, name: name, writable: true}, nil
}

// Open opens a file for reading.
func (m *Mem) Open(name string) (File, error) { return m.open(name, false) }

// OpenRW opens a file for reading and writing.
func (m *Mem) OpenRW(name string) (File, error) { return m.open(name, true) }

func (m *Mem) open(name string, writable bool) (File, error) {
	m.tree.mu.Lock()
	defer m.tree.mu.Unlock()
	dir, base, err := m.parent("open", name)
	if err != nil {
		return nil, err
	}
	n := dir.entries[base]
	if n == nil {
		return nil, memError("open", name, fs.ErrNotExist)
	}
	if n.dir {
		return nil, memError("open", name, fs.ErrInvalid)
	}
	return &memFile{tree: m.tree, node: n, name: name, writable: writable}, nil
}

// Remove removes a file or an empty folder.
func (m *Mem) Remove(name string) error {
	m.tree.mu.Lock()
	defer m.tree.mu.Unlock()
	dir, base, err := m.parent("remove", name)
	if err != nil {
		return err
	}
	n := dir.entries[base]
	if n == nil {
		return memError("remove", name, fs.ErrNotExist)
	}
	if n.dir && len(n.entries) > 0 {
		return memError("remove", name, fmt.Errorf("folder not empty"))
	}
	m.tree.change(memStep{dir, base, nil})
	return nil
}

// RemoveAll removes a tree, from its leaves.
func (m *Mem) RemoveAll(name string) error {
	m.tree.mu.Lock()
	defer m.tree.mu.Unlock()
	if fs.ValidPath(name) && m.lookup(name) == nil {
		return nil
	}
	dir, base, err := m.parent("remove", name)
	if err != nil {
		return err
	}
	if n := dir.entries[base]; n != nil {
		m.tree.empty(n)
		m.tree.change(memStep{dir, base, nil})
	}
	return nil
}

func (t *memTree) empty(n *memNode) {
	for _, name := range sortedNames(n.entries) {
		t.empty(n.entries[name])
		t.change(memStep{n, name, nil})
	}
}

// Rename gives a file or folder another name.
func (m *Mem) Rename(oldname, newname string) error {
	m.tree.mu.Lock()
	defer m.tree.mu.Unlock()
	from, oldbase, err := m.parent("rename", oldname)
	if err != nil {
		return err
	}
	to, newbase, err := m.parent("rename", newname)
	if err != nil {
		return err
	}
	n, there := from.entries[oldbase], to.entries[newbase]
	switch {
	case n == nil:
		return memError("rename", oldname, fs.ErrNotExist)
	case strings.HasPrefix(newname, oldname+"/"):
		return memError("rename", newname, fs.ErrInvalid)
	case there != nil && (there.dir || n.dir):
		return memError("rename", newname, fs.ErrExist)
	case n == there:
		return nil
	}
	m.tree.change(memStep{from, oldbase, nil}, memStep{to, newbase, n})
	return nil
}

// Mkdir makes a folder.
func (m *Mem) Mkdir(name string) error {
	m.tree.mu.Lock()
	defer m.tree.mu.Unlock()
	dir, base, err := m.parent("mkdir", name)
	if err != nil {
		return err
	}
	if dir.entries[base] != nil {
		return memError("mkdir", name, fs.ErrExist)
	}
	m.tree.change(memStep{dir, base, newFolder()})
	return nil
}

// SyncDir makes the names in a folder stable.
func (m *Mem) SyncDir(name string) error {
	m.tree.mu.Lock()
	defer m.tree.mu.Unlock()
	n, err := m.folder("sync", name)
	if err == nil {
		n.flush()
	}
	return err
}

func (m *Mem) folder(op, name string) (*memNode, error) {
	n := m.lookup(name)
	switch {
	case !fs.ValidPath(name):
		return nil, memError(op, name, fs.ErrInvalid)
	case n == nil:
		return nil, memError(op, name, fs.ErrNotExist)
	case !n.dir:
		return nil, memError(op, name, fs.ErrInvalid)
	}
	return n, nil
}

// List returns what is in a folder.
func (m *Mem) List(name string) ([]Entry, error) {
	m.tree.mu.Lock()
	defer m.tree.mu.Unlock()
	n, err := m.folder("list", name)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, len(n.entries))
	for _, base := range sortedNames(n.entries) {
		entries = append(entries, n.entries[base].entry(base))
	}
	return entries, nil
}

func sortedNames(entries map[string]*memNode) []string {
	names := make([]string, 0, len(entries))
	for name := range entries {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (n *memNode) entry(base string) Entry {
	return Entry{Name: base, Dir: n.dir, Regular: !n.dir, Size: n.size}
}

// Stat describes a name.
func (m *Mem) Stat(name string) (Entry, error) {
	m.tree.mu.Lock()
	defer m.tree.mu.Unlock()
	n := m.lookup(name)
	if n == nil {
		return Entry{}, memError("stat", name, fs.ErrNotExist)
	}
	return n.entry(path.Base(name)), nil
}

// Sub returns the Mem of a folder, on the same disk.
func (m *Mem) Sub(name string) (FS, error) {
	m.tree.mu.Lock()
	defer m.tree.mu.Unlock()
	n, err := m.folder("sub", name)
	if err != nil {
		return nil, err
	}
	return &Mem{m.tree, n}, nil
}
