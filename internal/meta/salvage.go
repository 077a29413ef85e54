package meta

import (
	"encoding/binary"
	"fmt"

	"github.com/tarndb/tarn/internal/vfs"
)

// OpenCopy opens the copy of a meta file as one that is read only and has no
// payloads: for a repair, when the file itself cannot be opened.
func OpenCopy(dir vfs.FS, name string) (*Store, error) {
	s := &Store{dir: dir, name: copyName(name), readOnly: true}
	owner, commit, records, err := (&Store{dir: dir, name: name}).readCopy()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	m := &memory{dir: dir, name: s.name, readOnly: true, uuid: owner, commit: commit}
	for b := range buckets {
		m.records[b] = map[string][]byte{}
	}
	for _, r := range records {
		m.records[r.bucket][string(r.key)] = r.value
	}
	s.uuid, s.back = owner, m
	return s, nil
}

// SalvagePayloads calls fn with the payloads, and key with the keys and their ids, in
// those pages of a damaged bbolt file that its newest meta page leads to and that are
// whole. Pages that nothing leads to are left alone: what they hold may be older. It
// reports what is damaged, and returns the LSN of the checkpoint that the payloads
// were written with, if that is whole: a slot that was written since has another.
func SalvagePayloads(dir vfs.FS, name string, fn func(slot uint32, payload []byte), key func(key []byte, id uint64), report func(Finding)) (lsn uint64, ok bool) {
	f, err := dir.Open(name)
	if err != nil {
		report(Finding{name, err.Error()})
		return 0, false
	}
	defer f.Close() // only read
	size, err := f.Size()
	if err != nil {
		report(Finding{name, err.Error()})
		return 0, false
	}
	p := &pageFile{file: f}
	m, err := p.newestMeta(size)
	if err != nil {
		report(Finding{name, err.Error()})
		return 0, false
	}
	p.pageSize, p.pages = int64(m.pageSize), min(m.pages, uint64(size)/uint64(m.pageSize))
	p.seen = make([]uint64, (p.pages+63)/64)
	s := &salvage{p: p, fn: fn, key: key, found: func(err error) { report(Finding{name, err.Error()}) }}
	s.tree(m.root, s.bucket)
	return s.lsn, s.dated
}

// salvage walks what is left of a bbolt file.
type salvage struct {
	p     *pageFile
	fn    func(slot uint32, payload []byte)
	key   func(key []byte, id uint64)
	found func(error)
	lsn   uint64 // of the checkpoint
	dated bool   // that was there
}

// bucket walks the bucket that an element of the root is, if it is wanted.
func (s *salvage) bucket(pg page, e element) {
	leaf := map[string]func(page, element){
		string(bucketNames[small]): s.checkpoint, string(bucketNames[payloads]): s.payload, string(bucketNames[keys]): s.name,
	}[string(e.key)]
	if e.flags != bucketFlag || leaf == nil {
		return
	}
	root, inline, err := parseBucket(pg, e)
	switch {
	case err != nil:
		s.found(err)
	case root == 0:
		s.page(inline, leaf)
	default:
		s.tree(root, leaf)
	}
}

// tree walks the tree under page id, around what is damaged. Its recursion ends:
// no page is met twice.
func (s *salvage) tree(id uint64, leaf func(page, element)) {
	pg, err := s.p.page(id)
	if err != nil {
		s.found(err)
		return
	}
	s.page(pg, leaf)
}

func (s *salvage) page(pg page, leaf func(page, element)) {
	if pg.flags != branchFlag && pg.flags != leafFlag {
		s.found(damaged(pg.off, "page %d: a tree has flags %#x", pg.id, pg.flags))
		return
	}
	for i := range int(pg.count) {
		e, err := pg.element(i)
		if err != nil {
			s.found(err)
			return
		}
		if pg.flags == branchFlag {
			s.tree(e.child, leaf)
		} else {
			leaf(pg, e)
		}
	}
}

func (s *salvage) payload(pg page, e element) {
	value, err := unseal(payloads, e.key, e.value)
	if err == nil && len(e.key) != 4 {
		err = damaged(pg.off, "payload %x", e.key)
	}
	if err != nil {
		s.found(err)
		return
	}
	s.fn(binary.BigEndian.Uint32(e.key), value)
}

func (s *salvage) name(_ page, e element) {
	id, err := decodeKey(e.key, e.value)
	if err != nil {
		s.found(err)
		return
	}
	s.key(e.key, id)
}

func (s *salvage) checkpoint(_ page, e element) {
	if string(e.key) != string(keyCheckpoint) {
		return
	}
	value, err := unseal(small, e.key, e.value)
	if err != nil {
		s.found(err)
		return
	}
	if c, _, err := decodeCheckpoint(value); err == nil {
		s.lsn, s.dated = c.LSN, true
	}
}
