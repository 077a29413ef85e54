//go:build !linux

package vfs

import "fmt"

// HugeAlloc returns n bytes of zeros. Close gives them back; nothing may point to
// them then.
func HugeAlloc(n int) (Block, error) {
	if n <= 0 {
		return nil, fmt.Errorf("allocate %d bytes: out of range", n)
	}
	return heapBlock(make([]byte, n)), nil
}

// Release gives the pages that lie within p, a part of a Block, back to the system,
// where it can be asked to take them: they read as zeros then. Readers may run beside
// it.
func Release([]byte) {}

type heapBlock []byte

func (b heapBlock) Bytes() []byte { return b }
func (b heapBlock) Close() error  { return nil }
