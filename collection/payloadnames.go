package collection

import (
	"slices"
	"strings"
)

const (
	// keptNames and keptNameBytes bound what a nameCache keeps.
	keptNames     = 64
	keptNameBytes = 2048
	// mostWait is how many objects a nameCache waits for before it begins anew.
	mostWait = 127
)

// nameCache keeps the names of objects that were written, in order and as they are
// written. Most payloads have the names of the one before: of a map that has no
// others the members are looked up, and it need not be walked through and sorted.
// A cache that no longer fits is asked ever more rarely, and then begins anew.
type nameCache struct {
	written []string // ,"name": of those without escapes
	size    int      // of all in bytes
	wait    int      // objects until it is asked again
	missed  int      // how many were last waited for
}

// bare returns the name that was written.
func bare[T string | []byte](written T) T { return written[2 : len(written)-2] }

// worthwhile reports whether the names shall be looked up in an object of n members.
func (c *nameCache) worthwhile(n int) bool {
	if c.wait > 0 {
		c.wait--
		return false
	}
	if len(c.written) <= 2*n+4 {
		return true
	}
	c.miss()
	return false
}

// hit says that an object had no other names.
func (c *nameCache) hit() { c.missed = 0 }

// miss says that one had.
func (c *nameCache) miss() {
	c.missed = 2*c.missed + 1
	if c.wait = c.missed; c.wait > mostWait {
		*c = nameCache{}
	}
}

// hasRoom reports whether so many names may be added.
func (c *nameCache) hasRoom(n int) bool {
	return len(c.written)+n <= keptNames
}

// add keeps a name if it is new, has no escapes and is not too long. The string
// itself, which may be part of a long one, is not kept.
func (c *nameCache) add(name string, written []byte) {
	if string(bare(written)) != name || c.size+len(written) > keptNameBytes {
		return
	}
	at, found := slices.BinarySearchFunc(c.written, name, func(w, name string) int { return strings.Compare(bare(w), name) })
	if !found {
		c.written = slices.Insert(c.written, at, string(written))
		c.size += len(written)
	}
}
