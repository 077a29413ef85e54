package meta

import (
	"errors"
	"fmt"
	"io"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// bbolt follows the page numbers, counts and offsets in its file without looking:
// a wrong one is a panic, and a branch page that leads to itself is an endless
// recursion, which cannot be caught. So the file is walked before bbolt is given
// it: all of it if it is small, else all but what the leaf pages hold, which can
// lead nowhere but out of bounds.
//
//	meta 0, meta 1 ──newest──> root ──> buckets ──> branch pages ──> leaf pages
//	                    └────> free pages: none of those that the walk met

// smallFile is the size up to which every page is looked into.
const smallFile = 4 << 20

// pageFile is a bbolt file being walked. seen has a bit for each page that was
// met; no page may be met twice.
type pageFile struct {
	file     io.ReaderAt
	whole    []byte // all of the file, if it is small
	pageSize int64
	pages    uint64 // below the high water mark
	seen     []uint64
	small    bool
}

// inspectFile returns codec.ErrCorrupt, with an offset, if the structure of a
// bbolt file is damaged. What the kernel had cached of it is forgotten before: an
// earlier process may have failed to write that back.
func inspectFile(dir vfs.FS, name string) (err error) {
	f, err := dir.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.DropCache(); err != nil {
		return err
	}
	size, err := f.Size()
	if err != nil {
		return err
	}
	return inspect(f, size)
}

// inspect walks a bbolt file of size bytes.
func inspect(file io.ReaderAt, size int64) error {
	p := &pageFile{file: file, small: size <= smallFile}
	if p.small {
		p.whole = make([]byte, size)
		if _, err := file.ReadAt(p.whole, 0); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	m, err := p.newestMeta(size)
	if err != nil {
		return err
	}
	p.pageSize = int64(m.pageSize)
	if m.pages > uint64(size/p.pageSize) || m.pages < 4 {
		return damaged(size, "file of %d pages, it should have %d", size/p.pageSize, m.pages)
	}
	p.pages = m.pages
	p.seen = make([]uint64, (m.pages+63)/64)
	p.seen[0] = 3 // the meta pages
	if err := p.walkRoot(m.root); err != nil {
		return err
	}
	return p.walkFreelist(m.freelist)
}

func damaged(off int64, format string, args ...any) error {
	return fmt.Errorf("offset %d: %s: %w", off, fmt.Sprintf(format, args...), codec.ErrCorrupt)
}

// read returns n bytes at off, which are within the file.
func (p *pageFile) read(off int64, n int) ([]byte, error) {
	if p.whole != nil {
		return p.whole[off : off+int64(n)], nil
	}
	b := make([]byte, n)
	_, err := p.file.ReadAt(b, off)
	return b, err
}

// claim marks n pages from id as met.
func (p *pageFile) claim(id, n uint64) error {
	if id > p.pages || n > p.pages-id {
		return damaged(0, "%d pages from %d on, of %d", n, id, p.pages)
	}
	for i := id; i < id+n; i++ {
		if p.seen[i/64]>>(i%64)&1 != 0 {
			return damaged(int64(i)*p.pageSize, "page %d is used twice", i)
		}
		p.seen[i/64] |= 1 << (i % 64)
	}
	return nil
}

// page claims page id and those that it runs on over, and returns it.
func (p *pageFile) page(id uint64) (page, error) {
	if err := p.claim(id, 1); err != nil {
		return page{}, err
	}
	off := int64(id) * p.pageSize
	head, err := p.read(off, pageHeader)
	if err != nil {
		return page{}, err
	}
	h := parsePageHead(head)
	if h.id != id {
		return page{}, damaged(off, "page %d calls itself %d", id, h.id)
	}
	if err := p.claim(id+1, uint64(h.overflow)); err != nil {
		return page{}, damaged(off, "page %d: %v", id, err)
	}
	b, err := p.read(off, int(p.pageSize)*(1+int(h.overflow)))
	return page{h, off, b}, err
}

// walkRoot walks the tree of buckets.
func (p *pageFile) walkRoot(id uint64) error {
	return p.walk(id, nil, nil, func(pg page, e element) error {
		if e.flags != bucketFlag {
			return damaged(pg.off, "page %d: not a bucket among the buckets", pg.id)
		}
		root, inline, err := parseBucket(pg, e)
		if err != nil {
			return err
		}
		if root == 0 {
			return walkLeaf(inline, nil, nil, noBuckets)
		}
		return p.walk(root, nil, nil, noBuckets)
	})
}

// noBuckets refuses buckets within buckets: there are none.
func noBuckets(pg page, e element) error {
	if e.flags != 0 {
		return damaged(pg.off, "page %d: a bucket among records", pg.id)
	}
	return nil
}

// walkFreelist checks that no free page is used.
func (p *pageFile) walkFreelist(id uint64) error {
	if id == noFreelist {
		return damaged(0, "the free pages are not in the file")
	}
	pg, err := p.page(id)
	if err != nil {
		return err
	}
	ids, err := parseFreelist(pg)
	if err != nil {
		return err
	}
	last := uint64(1)
	for _, free := range ids {
		if free <= last {
			return damaged(pg.off, "free page %d after %d", free, last)
		}
		if err := p.claim(free, 1); err != nil {
			return damaged(pg.off, "free page: %v", err)
		}
		last = free
	}
	return nil
}
