package vfs

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"math"
	"sync/atomic"
)

const (
	memPageSize   = 4096
	memSectorSize = 512
)

// zeroPage stands for every page of zeros.
var zeroPage = make([]byte, memPageSize)

// memContent is what a file holds. Pages are never changed in place, so versions
// and crashed disks share them.
type memContent struct {
	size       int64
	stableSize int64
	sizes      []int64 // since the last sync, in order
	pages      []memPage
	maps       []*memMapping
}

// memPage is 4 KiB of a file.
type memPage struct {
	there    bool         // it has space on the disk
	seen     []byte       // nil: zeros
	stable   []byte       // nil: zeros
	versions []memVersion // since the last sync, in order; the last one is seen
}

// memVersion is a page after a write to the bytes from..to of it.
type memVersion struct {
	data     []byte
	from, to int
}

func orZeros(page []byte) []byte {
	if page == nil {
		return zeroPage
	}
	return page
}

func (c *memContent) allocated() (n int64) {
	for i := range c.pages {
		if c.pages[i].there {
			n++
		}
	}
	return n
}

// reserve gives the pages of off..off+n space, or none of them.
func (t *memTree) reserve(c *memContent, off, n int64) error {
	last := (off + n + memPageSize - 1) / memPageSize
	need := int64(0)
	for i := off / memPageSize; i < last; i++ {
		if i >= int64(len(c.pages)) || !c.pages[i].there {
			need++
		}
	}
	if t.limit > 0 && t.used+need > t.limit {
		return ErrNoSpace
	}
	t.used += need
	if last > int64(len(c.pages)) {
		c.pages = append(c.pages, make([]memPage, last-int64(len(c.pages)))...)
	}
	for i := off / memPageSize; i < last; i++ {
		c.pages[i].there = true
	}
	return nil
}

func (c *memContent) resize(size int64) {
	if size != c.size {
		c.size = size
		c.sizes = append(c.sizes, size)
	}
}

// put writes b at off; the pages are there.
func (c *memContent) put(b []byte, off int64) {
	for _, m := range c.maps {
		m.put(b, off)
	}
	for len(b) > 0 {
		p := &c.pages[off/memPageSize]
		from := int(off % memPageSize)
		n := min(len(b), memPageSize-from)
		p.write(b[:n], from)
		b, off = b[n:], off+int64(n)
	}
}

func (p *memPage) write(b []byte, from int) {
	data := zeroPage
	if !bytes.Equal(orZeros(p.seen)[from:from+len(b)], b) {
		data = bytes.Clone(orZeros(p.seen))
		copy(data[from:], b)
	} else if p.seen != nil {
		data = p.seen
	}
	p.seen = data
	p.versions = append(p.versions, memVersion{data, from, from + len(b)})
}

// get reads len(b) bytes at off.
func (c *memContent) get(b []byte, off int64) {
	for len(b) > 0 {
		from := int(off % memPageSize)
		n := min(len(b), memPageSize-from)
		page := zeroPage
		if i := off / memPageSize; i < int64(len(c.pages)) {
			page = orZeros(c.pages[i].seen)
		}
		copy(b[:n], page[from:])
		b, off = b[n:], off+int64(n)
	}
}

// sync puts everything on the disk.
func (c *memContent) sync() {
	for i := range c.pages {
		p := &c.pages[i]
		if len(p.versions) > 0 {
			p.stable, p.versions = p.seen, nil
		}
	}
	c.stableSize, c.sizes = c.size, nil
}

// lose makes everything look synced without putting it on the disk: what a system
// does after an fsync that failed. Only a page that is written once more can get
// there by a later fsync.
func (c *memContent) lose() {
	for i := range c.pages {
		c.pages[i].versions = nil
	}
	c.sizes = nil
}

// forget drops what only looks synced: the disk is read again.
func (c *memContent) forget() {
	for i := range c.pages {
		if p := &c.pages[i]; len(p.versions) == 0 {
			p.seen = p.stable
			for _, m := range c.maps {
				m.put(orZeros(p.seen), int64(i)*memPageSize)
			}
		}
	}
}

// dirty reports whether anything is not on the disk.
func (c *memContent) dirty() bool {
	if len(c.sizes) > 0 {
		return true
	}
	for i := range c.pages {
		if len(c.pages[i].versions) > 0 {
			return true
		}
	}
	return false
}

// memFile is an open file.
type memFile struct {
	tree     *memTree
	node     *memNode
	name     string
	writable bool
	closed   atomic.Bool
}

// enter checks a call and takes the lock.
func (f *memFile) enter(op string, write bool, off, n int64) (leave func(), err error) {
	switch {
	case f.closed.Load():
		return nil, memError(op, f.name, fs.ErrClosed)
	case write && !f.writable:
		return nil, memError(op, f.name, fs.ErrPermission)
	case off < 0 || n < 0 || n > math.MaxInt64-off:
		return nil, memError(op, f.name, fs.ErrInvalid)
	}
	f.tree.mu.Lock()
	return f.tree.mu.Unlock, nil
}

func (f *memFile) ReadAt(b []byte, off int64) (int, error) {
	leave, err := f.enter("read", false, off, int64(len(b)))
	if err != nil {
		return 0, err
	}
	defer leave()
	n := int(max(0, min(int64(len(b)), f.node.size-off)))
	f.node.get(b[:n], off)
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(b []byte, off int64) (int, error) {
	leave, err := f.enter("write", true, off, int64(len(b)))
	if err != nil {
		return 0, err
	}
	defer leave()
	if len(b) == 0 {
		return 0, nil
	}
	if err := f.tree.reserve(&f.node.memContent, off, int64(len(b))); err != nil {
		return 0, memError("write", f.name, err)
	}
	f.node.put(b, off)
	f.node.resize(max(f.node.size, off+int64(len(b))))
	return len(b), nil
}

func (f *memFile) Close() error {
	if f.closed.Swap(true) {
		return memError("close", f.name, fs.ErrClosed)
	}
	return nil
}

func (f *memFile) Size() (int64, error) {
	leave, err := f.enter("stat", false, 0, 0)
	if err != nil {
		return 0, err
	}
	defer leave()
	return f.node.size, nil
}

func (f *memFile) Sync() error {
	leave, err := f.enter("sync", false, 0, 0)
	if err != nil {
		return err
	}
	defer leave()
	f.node.sync()
	return nil
}

func (f *memFile) SyncData() error { return f.Sync() }

// loseSync is an fsync that fails.
func (f *memFile) loseSync() {
	f.tree.mu.Lock()
	defer f.tree.mu.Unlock()
	f.node.lose()
}

func (f *memFile) Truncate(size int64) error {
	leave, err := f.enter("truncate", true, size, 0)
	if err != nil {
		return err
	}
	defer leave()
	c := &f.node.memContent
	for at := size; at < c.size && at/memPageSize < int64(len(c.pages)); {
		n := min(c.size, (at/memPageSize+1)*memPageSize) - at
		c.put(zeroPage[:n], at)
		at += n
	}
	c.resize(size)
	for i := (size + memPageSize - 1) / memPageSize; i < int64(len(c.pages)); i++ {
		if c.pages[i].there {
			c.pages[i].there = false
			f.tree.used--
		}
	}
	return nil
}

func (f *memFile) Allocate(off, n int64) error {
	leave, err := f.enter("allocate", true, off, n)
	if err != nil {
		return err
	}
	defer leave()
	if n == 0 {
		return nil
	}
	if err := f.tree.reserve(&f.node.memContent, off, n); err != nil {
		return memError("allocate", f.name, err)
	}
	f.node.resize(max(f.node.size, off+n))
	return nil
}

// WriteBack does nothing: what a crash keeps of it is drawn anyway.
func (f *memFile) WriteBack(off, n int64) {}

func (f *memFile) DropCache() error {
	leave, err := f.enter("drop cache", false, 0, 0)
	if err != nil {
		return err
	}
	defer leave()
	f.node.forget()
	return nil
}

// Map returns memory that follows what is written to the file; with MapCopy, a
// copy.
func (f *memFile) Map(off int64, n int, mode MapMode) (Mapping, error) {
	leave, err := f.enter("map", false, off, int64(n))
	if err != nil {
		return nil, err
	}
	defer leave()
	if n <= 0 || off%PageSize != 0 {
		return nil, fmt.Errorf("map %d bytes at %d: out of range", n, off)
	}
	m := &memMapping{file: f, off: off, data: alignedBytes(n)}
	f.node.get(m.data[:max(0, min(int64(n), f.node.size-off))], off)
	if mode == MapRead {
		f.node.maps = append(f.node.maps, m)
	}
	return m, nil
}

// alignedBytes returns n zeros at an address as a mapping would have.
func alignedBytes(n int) []byte {
	b := make([]byte, n+memPageSize)
	skip := int(-address(b) & (memPageSize - 1))
	return b[skip : skip+n : skip+n]
}

type memMapping struct {
	file *memFile
	off  int64
	data []byte
}

// put repeats a write to the file.
func (m *memMapping) put(b []byte, off int64) {
	from, to := max(off, m.off), min(off+int64(len(b)), m.off+int64(len(m.data)))
	if from < to {
		copy(m.data[from-m.off:to-m.off], b[from-off:])
	}
}

func (m *memMapping) Bytes() []byte { return m.data }

func (m *memMapping) Close() error {
	m.file.tree.mu.Lock()
	defer m.file.tree.mu.Unlock()
	maps := &m.file.node.maps
	for i, other := range *maps {
		if other == m {
			*maps = append((*maps)[:i:i], (*maps)[i+1:]...)
			break
		}
	}
	m.data = nil
	return nil
}
