package meta

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
)

// The pages of a bbolt file, in the byte order of the host that wrote it. pos
// counts from the element itself, key and value follow each other there.
//
//	page     | id u64 | flags u16 | count u16 | overflow u32 | ...
//	meta     | magic u32 | version u32 | page size u32 | flags u32 | root u64 | seq u64 |
//	         | freelist u64 | pages u64 | txid u64 | FNV-1a of all before u64 |
//	branch   count of | pos u32 | key size u32 | page u64 |, then the keys
//	leaf     count of | flags u32 | pos u32 | key size u32 | value size u32 |, then keys and values
//	free     page u64, ...; with count 65535 their number goes first
//	bucket   (a value) | root page u64 | seq u64 |, then, if root is 0, a leaf page
const (
	pageHeader  = 16
	metaSize    = 64
	metaSum     = metaSize - 8
	elementSize = 16
	bucketHead  = 16

	boltMagic   = 0xED0CDAED
	boltVersion = 2

	branchFlag = 0x01
	leafFlag   = 0x02
	freeFlag   = 0x10
	bucketFlag = 0x01

	noFreelist   = 1<<64 - 1
	minPageSize  = 1 << 10
	maxPageSize  = 1 << 24
	longFreelist = 0xFFFF
)

type boltMeta struct {
	pageSize                    uint32
	root, freelist, pages, txid uint64
}

// parseMeta decodes the meta page b, and reports whether it is whole.
func parseMeta(b []byte) (m boltMeta, ok bool) {
	if len(b) < pageHeader+metaSize {
		return m, false
	}
	b = b[pageHeader : pageHeader+metaSize]
	u32, u64 := binary.NativeEndian.Uint32, binary.NativeEndian.Uint64
	h := fnv.New64a()
	h.Write(b[:metaSum])
	if u32(b) != boltMagic || u32(b[4:]) != boltVersion || u64(b[metaSum:]) != h.Sum64() {
		return m, false
	}
	m = boltMeta{pageSize: u32(b[8:]), root: u64(b[16:]), freelist: u64(b[32:]), pages: u64(b[40:]), txid: u64(b[48:])}
	sane := m.pageSize >= minPageSize && m.pageSize <= maxPageSize && m.pageSize&(m.pageSize-1) == 0
	return m, sane
}

// newestMeta returns the meta page that counts: the whole one with the higher
// transaction number.
func (p *pageFile) newestMeta(size int64) (m boltMeta, err error) {
	found := false
	for off := int64(0); off <= maxPageSize; off = max(2*off, minPageSize) {
		if off+pageHeader+metaSize > size {
			break
		}
		b, err := p.read(off, pageHeader+metaSize)
		if err != nil {
			return m, err
		}
		at, ok := parseMeta(b)
		if !ok || (off != 0 && off != int64(at.pageSize)) {
			continue
		}
		if !found || at.txid > m.txid {
			m, found = at, true
		}
	}
	if !found {
		return m, damaged(0, "not a bbolt file, or both meta pages are damaged")
	}
	return m, nil
}

type pageHead struct {
	id       uint64
	flags    uint16
	count    uint16
	overflow uint32
}

func parsePageHead(b []byte) pageHead {
	return pageHead{
		id:       binary.NativeEndian.Uint64(b),
		flags:    binary.NativeEndian.Uint16(b[8:]),
		count:    binary.NativeEndian.Uint16(b[10:]),
		overflow: binary.NativeEndian.Uint32(b[12:]),
	}
}

// page is a page with all it runs on over, header included.
type page struct {
	pageHead
	off int64 // in the file
	b   []byte
}

// element is a decoded element of a page.
type element struct {
	flags      uint32
	child      uint64 // of a branch
	key, value []byte
}

// element returns element i of a leaf or branch page.
func (p page) element(i int) (e element, err error) {
	at := pageHeader + i*elementSize
	if at+elementSize > len(p.b) {
		return e, damaged(p.off, "page %d: %d elements", p.id, p.count)
	}
	b := p.b[at:]
	u32 := binary.NativeEndian.Uint32
	var pos, ksize, vsize uint64
	if p.flags == branchFlag {
		pos, ksize, e.child = uint64(u32(b)), uint64(u32(b[4:])), binary.NativeEndian.Uint64(b[8:])
	} else {
		e.flags, pos, ksize, vsize = u32(b), uint64(u32(b[4:])), uint64(u32(b[8:])), uint64(u32(b[12:]))
	}
	if pos+ksize+vsize > uint64(len(b)) || pos < elementSize {
		return e, damaged(p.off+int64(at), "page %d: element %d reaches out of it", p.id, i)
	}
	e.key, e.value = b[pos:pos+ksize], b[pos+ksize:pos+ksize+vsize]
	return e, nil
}

// elements calls fn with the elements of a page, whose keys must rise, from least
// on (if it is not nil) and below limit (likewise).
func (p page) elements(least, limit []byte, fn func(i int, e element) error) error {
	strict := 0 // the first key may be least itself
	for i := range int(p.count) {
		e, err := p.element(i)
		if err != nil {
			return err
		}
		if bytes.Compare(e.key, least) < strict || (limit != nil && bytes.Compare(e.key, limit) >= 0) {
			return damaged(p.off, "page %d: element %d is out of order", p.id, i)
		}
		if err := fn(i, e); err != nil {
			return err
		}
		least, strict = e.key, 1
	}
	return nil
}

// walk walks the tree under page id, whose keys are from least on and below
// limit, and calls leaf with the elements of leaf pages. In a large file the leaf
// pages of a tree with branches are claimed and not read.
func (p *pageFile) walk(id uint64, least, limit []byte, leaf func(page, element) error) error {
	pg, err := p.page(id)
	if err != nil {
		return err
	}
	if pg.flags == leafFlag {
		return walkLeaf(pg, least, limit, leaf)
	}
	if pg.flags != branchFlag || pg.count == 0 {
		return damaged(pg.off, "page %d: a tree has flags %#x, %d elements", pg.id, pg.flags, pg.count)
	}
	var children []element
	err = pg.elements(least, limit, func(_ int, e element) error {
		children = append(children, e)
		return nil
	})
	if err != nil {
		return err
	}
	if !p.small && p.isLeaf(children[0].child) {
		for _, e := range children {
			if err := p.claim(e.child, 1); err != nil {
				return damaged(pg.off, "page %d: %v", pg.id, err)
			}
		}
		return nil
	}
	for i, e := range children {
		end := limit
		if i+1 < len(children) {
			end = children[i+1].key
		}
		if err := p.walk(e.child, e.key, end, leaf); err != nil {
			return err
		}
	}
	return nil
}

// isLeaf reports whether page id is a leaf page: all its siblings are, then.
func (p *pageFile) isLeaf(id uint64) bool {
	if id >= p.pages {
		return false
	}
	b, err := p.read(int64(id)*p.pageSize, pageHeader)
	return err == nil && parsePageHead(b).flags == leafFlag
}

// walkLeaf checks a leaf page and calls leaf with its elements.
func walkLeaf(pg page, least, limit []byte, leaf func(page, element) error) error {
	if pg.flags != leafFlag {
		return damaged(pg.off, "page %d: a leaf has flags %#x", pg.id, pg.flags)
	}
	return pg.elements(least, limit, func(_ int, e element) error { return leaf(pg, e) })
}

// parseBucket returns the root page of a bucket, or the page inside of it.
func parseBucket(pg page, e element) (root uint64, inline page, err error) {
	if len(e.value) < bucketHead {
		return 0, page{}, damaged(pg.off, "page %d: a bucket of %d bytes", pg.id, len(e.value))
	}
	if root = binary.NativeEndian.Uint64(e.value); root != 0 {
		return root, page{}, nil
	}
	b := e.value[bucketHead:]
	if len(b) < pageHeader {
		return 0, page{}, damaged(pg.off, "page %d: a bucket inside of it of %d bytes", pg.id, len(b))
	}
	return 0, page{parsePageHead(b), pg.off, b}, nil
}

// parseFreelist returns the pages that are free.
func parseFreelist(pg page) ([]uint64, error) {
	if pg.flags != freeFlag {
		return nil, damaged(pg.off, "page %d: free pages have flags %#x", pg.id, pg.flags)
	}
	b := pg.b[pageHeader:]
	n := uint64(pg.count)
	if n == longFreelist {
		n, b = binary.NativeEndian.Uint64(b), b[8:]
	}
	if n > uint64(len(b)/8) {
		return nil, damaged(pg.off, "page %d: %d free pages", pg.id, n)
	}
	ids := make([]uint64, n)
	for i := range ids {
		ids[i] = binary.NativeEndian.Uint64(b[8*i:])
	}
	return ids, nil
}
