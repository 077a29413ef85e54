package vfs

import (
	"math/rand/v2"
	"path"
	"slices"
)

// Crash says what a power cut leaves. The zero value loses everything that was not
// synced, and nothing that was.
type Crash struct {
	// Keep is the chance that an unsynced page, size or name is on the disk, each
	// for itself, so in any order; a page may be there as it was after any of its
	// writes.
	Keep float64
	// Torn is the chance that an unsynced page is torn: some of its 512-byte
	// sectors as they were earlier, some as they were later.
	Torn float64
	// Garbage is the chance that in a sector that is torn or kept the bytes that
	// were written since the last sync are noise. Other bytes never are.
	Garbage float64
	// Ordered makes the names of each folder reach the disk in order, as a journal
	// does it.
	Ordered bool
	// KeepFile, if not nil, replaces Keep for the content of a file; names are
	// those that the files have before the crash.
	KeepFile func(name string) float64
}

// crash is a power cut under way.
type crash struct {
	Crash
	rng     *rand.Rand
	nodes   map[*memNode]*memNode
	changes map[*memChange]bool
}

// Crash returns the disk, from its top folder, as a computer would find it after a
// power cut at this instant: one of the states that c allows, chosen by seed.
// Nothing that was synced is missing. The Mem itself goes on as if nothing had
// happened, so that one run can be cut at each of its steps.
func (m *Mem) Crash(seed uint64, c Crash) *Mem {
	m.tree.mu.Lock()
	defer m.tree.mu.Unlock()
	k := &crash{c, rand.New(rand.NewPCG(seed, 0x7461726e)), map[*memNode]*memNode{}, map[*memChange]bool{}}
	tree := &memTree{locks: map[*memNode]int{}, limit: m.tree.limit}
	tree.top = k.folder(m.tree.top, ".")
	tree.used = tree.top.pagesHeld()
	return &Mem{tree, tree.top}
}

// Unsynced returns the names, sorted, of files whose content and of folders whose
// names are not all on the disk.
func (m *Mem) Unsynced() []string {
	m.tree.mu.Lock()
	defer m.tree.mu.Unlock()
	var names []string
	var walk func(n *memNode, name string)
	walk = func(n *memNode, name string) {
		if n.dirty() || slices.ContainsFunc(n.changes, func(c *memChange) bool { return !c.done }) {
			names = append(names, name)
		}
		for base, e := range n.entries {
			walk(e, path.Join(name, base))
		}
	}
	walk(m.root, ".")
	slices.Sort(names)
	return names
}

func (k *crash) chance(p float64) bool { return k.rng.Float64() < p }

// folder returns what is left of a folder.
func (k *crash) folder(old *memNode, name string) *memNode {
	if n := k.nodes[old]; n != nil {
		return n
	}
	n := newFolder()
	k.nodes[old] = n
	for _, s := range k.names(old) {
		child := k.node(s.node, path.Join(name, s.name))
		n.entries[s.name], n.stable[s.name] = child, child
	}
	return n
}

func (k *crash) node(old *memNode, name string) *memNode {
	if old.dir {
		return k.folder(old, name)
	}
	return k.file(old, name)
}

// names chooses which changes of a folder are on the disk, and returns its names.
func (k *crash) names(old *memNode) []memStep {
	left := map[string]*memNode{}
	for name, n := range old.stable {
		left[name] = n
	}
	cut := len(old.changes)
	if k.Ordered && k.Keep == 0 {
		cut = 0
	} else if k.Ordered && !k.chance(k.Keep) {
		cut = k.rng.IntN(cut + 1)
	}
	for i, c := range old.changes {
		if !k.kept(c, i, cut) {
			continue
		}
		for _, s := range c.steps {
			switch {
			case s.dir != old:
			case s.node == nil:
				delete(left, s.name)
			default:
				left[s.name] = s.node
			}
		}
	}
	steps := make([]memStep, 0, len(left))
	for _, name := range sortedNames(left) {
		steps = append(steps, memStep{name: name, node: left[name]})
	}
	return steps
}

func (k *crash) kept(c *memChange, i, cut int) bool {
	if c.done {
		return false // the stable names have it
	}
	keep, decided := k.changes[c]
	if !decided {
		keep = k.chance(k.Keep)
		if k.Ordered {
			keep = i < cut
		}
		k.changes[c] = keep
	}
	return keep
}

// file returns what is left of a file.
func (k *crash) file(old *memNode, name string) *memNode {
	if n := k.nodes[old]; n != nil {
		return n
	}
	keep := k.Keep
	if k.KeepFile != nil {
		keep = k.KeepFile(name)
	}
	n := &memNode{}
	k.nodes[old] = n
	n.size = old.stableSize
	if len(old.sizes) > 0 && k.chance(keep) {
		n.size = old.sizes[k.recent(len(old.sizes))]
	}
	n.stableSize = n.size
	n.pages = make([]memPage, min(int64(len(old.pages)), (n.size+memPageSize-1)/memPageSize))
	for i := range n.pages {
		page := k.page(&old.pages[i], keep)
		if over := n.size - int64(i)*memPageSize; over < memPageSize && page != nil {
			page = append(slices.Clone(page[:over]), zeroPage[over:]...)
		}
		n.pages[i] = memPage{there: old.pages[i].there || page != nil, seen: page, stable: page}
	}
	return n
}

// recent chooses one of n, the last one most often.
func (k *crash) recent(n int) int {
	if k.chance(0.5) {
		return n - 1
	}
	return k.rng.IntN(n)
}

// page returns what is left of a page.
func (k *crash) page(p *memPage, keep float64) []byte {
	if len(p.versions) == 0 {
		return p.stable
	}
	older, newer := -1, -1
	if k.chance(keep) {
		newer = k.recent(len(p.versions))
		older = newer
	}
	if k.chance(k.Torn) {
		newer = k.rng.IntN(len(p.versions))
		older = k.rng.IntN(newer+1) - 1
	}
	if newer < 0 || older == newer && k.Garbage == 0 {
		return p.version(newer)
	}
	return k.tear(p, older, newer)
}

func (p *memPage) version(i int) []byte {
	if i < 0 {
		return p.stable
	}
	return p.versions[i].data
}

// tear mixes two versions of a page by sectors: the head of the later one, its
// tail, or any of its sectors.
func (k *crash) tear(p *memPage, older, newer int) []byte {
	page := slices.Clone(orZeros(p.version(older)))
	later := orZeros(p.version(newer))
	shape, cut := k.rng.IntN(3), k.rng.IntN(memPageSize/memSectorSize)
	for s := range memPageSize / memSectorSize {
		from, to := s*memSectorSize, (s+1)*memSectorSize
		if shape == 0 && s < cut || shape == 1 && s >= cut || shape == 2 && k.chance(0.5) || older == newer {
			copy(page[from:to], later[from:to])
		}
		if k.chance(k.Garbage) {
			k.noise(page, p.versions[:newer+1], from, to)
		}
	}
	return page
}

// noise overwrites those bytes of a sector that versions wrote.
func (k *crash) noise(page []byte, versions []memVersion, from, to int) {
	for _, v := range versions {
		for i := max(from, v.from); i < min(to, v.to); i++ {
			page[i] = byte(k.rng.Uint32())
		}
	}
}
