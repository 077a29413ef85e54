package vfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// held are the locks of this process, by path: the system's locks need not keep
// two handles of one process apart.
var held = struct {
	mu      sync.Mutex
	writers map[string]int // -1: exclusive, above 0: that many shared
}{writers: map[string]int{}}

func reserve(path string, shared bool) error {
	held.mu.Lock()
	defer held.mu.Unlock()
	n := held.writers[path]
	if n < 0 || n > 0 && !shared {
		return fmt.Errorf("%s: %w: by this process", path, ErrLocked)
	}
	if shared {
		held.writers[path] = n + 1
	} else {
		held.writers[path] = -1
	}
	return nil
}

func unreserve(path string) {
	held.mu.Lock()
	defer held.mu.Unlock()
	if n := held.writers[path]; n > 1 {
		held.writers[path] = n - 1
	} else {
		delete(held.writers, path)
	}
}

type fileLock struct {
	f    *os.File
	path string
	once sync.Once
	err  error
}

// lockFile locks a file in this process and, through the system, against others.
func lockFile(o *osFS, name string, shared bool) (io.Closer, error) {
	path := o.Path(name)
	if real, err := filepath.EvalSymlinks(o.path); err == nil {
		path = filepath.Join(real, filepath.FromSlash(name))
	}
	if err := reserve(path, shared); err != nil {
		return nil, err
	}
	f, err := openLock(o, name, shared)
	if err == nil {
		if err = systemLock(f, shared); err != nil {
			err = errors.Join(err, f.Close())
		}
	}
	if err != nil {
		unreserve(path)
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &fileLock{f: f, path: path}, nil
}

func openLock(o *osFS, name string, shared bool) (*os.File, error) {
	if shared {
		return o.root.Open(filepath.FromSlash(name))
	}
	return o.root.OpenFile(filepath.FromSlash(name), os.O_RDWR|os.O_CREATE, 0o600)
}

// Close releases the lock.
func (l *fileLock) Close() error {
	l.once.Do(func() {
		l.err = l.f.Close()
		unreserve(l.path)
	})
	return l.err
}
