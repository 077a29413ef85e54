package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
)

// Path returns "".
func (m *Mem) Path(string) string { return "" }

// OSFile has none: the files are in memory.
func (m *Mem) OSFile(name string, _ int) (*os.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: errors.ErrUnsupported}
}

// Close does nothing.
func (m *Mem) Close() error { return nil }

// Lock locks a file against everybody on the same disk.
func (m *Mem) Lock(name string, shared bool) (io.Closer, error) {
	m.tree.mu.Lock()
	defer m.tree.mu.Unlock()
	dir, base, err := m.parent("lock", name)
	if err != nil {
		return nil, err
	}
	n := dir.entries[base]
	if n == nil {
		if shared {
			return nil, memError("lock", name, fs.ErrNotExist)
		}
		n = &memNode{}
		m.tree.change(memStep{dir, base, n})
	}
	held := m.tree.locks[n]
	if held < 0 || held > 0 && !shared {
		return nil, memError("lock", name, ErrLocked)
	}
	if shared {
		m.tree.locks[n] = held + 1
	} else {
		m.tree.locks[n] = -1
	}
	return &memLock{tree: m.tree, node: n}, nil
}

type memLock struct {
	tree *memTree
	node *memNode
	once sync.Once
}

// Close releases the lock.
func (l *memLock) Close() error {
	l.once.Do(func() {
		l.tree.mu.Lock()
		defer l.tree.mu.Unlock()
		if n := l.tree.locks[l.node]; n > 1 {
			l.tree.locks[l.node] = n - 1
		} else {
			delete(l.tree.locks, l.node)
		}
	})
	return nil
}
