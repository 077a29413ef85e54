package meta

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// memory is the backend for an FS that has no files of the operating system: all
// records in maps, written as one dump by each transaction. It is atomic under
// whatever the FS does to a file that is written aside and renamed, so that
// crashes can be simulated around it.
type memory struct {
	dir      vfs.FS
	name     string
	readOnly bool
	uuid     [16]byte

	mu      sync.RWMutex
	commit  uint64
	records [buckets]map[string][]byte
	bytes   int64
}

// createMemory makes an empty one; it is written by the first transaction.
func createMemory(dir vfs.FS, name string, uuid [16]byte) (*memory, error) {
	if _, err := dir.Stat(name); err == nil {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrExist)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	m := &memory{dir: dir, name: name, uuid: uuid}
	for b := range buckets {
		m.records[b] = map[string][]byte{}
	}
	return m, nil
}

func openMemory(dir vfs.FS, name string, readOnly bool) (*memory, error) {
	data, err := readWhole(dir, name)
	if err != nil {
		return nil, err
	}
	h, commit, records, err := parseDump(dumpMagic, data)
	if err != nil {
		return nil, err
	}
	m := &memory{dir: dir, name: name, readOnly: readOnly, uuid: h.UUID, commit: commit, bytes: int64(len(data))}
	for b := range buckets {
		m.records[b] = map[string][]byte{}
	}
	for _, r := range records {
		m.records[r.bucket][string(r.key)] = r.value
	}
	if len(m.records[small]) == 0 {
		return nil, fmt.Errorf("no records: %w", codec.ErrCorrupt)
	}
	return m, nil
}

func (m *memory) view(fn func(reader) error) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return fn(&memoryTx{m.records})
}

func (m *memory) update(fn func(writer) error) error {
	if m.readOnly {
		return errReadOnly
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	tx := &memoryTx{}
	for b := range buckets {
		tx.records[b] = maps.Clone(m.records[b])
	}
	if err := fn(tx); err != nil {
		return err
	}
	d := newDump(dumpMagic, m.uuid, m.commit+1)
	for b := range buckets {
		if err := d.addAll(tx, b); err != nil {
			return err
		}
	}
	data := d.bytes()
	if err := vfs.AtomicWrite(m.dir, m.name, data); err != nil {
		return err
	}
	m.records, m.commit, m.bytes = tx.records, m.commit+1, int64(len(data))
	return nil
}

func (m *memory) size() int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.bytes
}

func (m *memory) close() error { return nil }

// memoryTx is a transaction over maps that nobody else changes.
type memoryTx struct{ records [buckets]map[string][]byte }

func (t *memoryTx) get(b bucket, key []byte) []byte { return t.records[b][string(key)] }

func (t *memoryTx) scan(b bucket, from []byte, fn func(key, value []byte) (bool, error)) error {
	for _, key := range slices.Sorted(maps.Keys(t.records[b])) {
		if key < string(from) {
			continue
		}
		if more, err := fn([]byte(key), t.records[b][key]); err != nil || !more {
			return err
		}
	}
	return nil
}

func (t *memoryTx) put(b bucket, key, value []byte) error {
	t.records[b][string(key)] = bytes.Clone(value)
	return nil
}

func (t *memoryTx) delete(b bucket, key []byte) error {
	delete(t.records[b], string(key))
	return nil
}
