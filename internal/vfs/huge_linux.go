package vfs

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// hugePage is the size of the pages that are asked for.
const hugePage = 2 << 20

// HugeAlloc returns n bytes of zeros, aligned to 2 MiB, in huge pages where the
// kernel grants them. Close gives them back; nothing may point to them then.
func HugeAlloc(n int) (Block, error) {
	if n <= 0 || n > int(^uint(0)>>1)-2*hugePage {
		return nil, fmt.Errorf("allocate %d bytes: out of range", n)
	}
	size := (n + hugePage - 1) &^ (hugePage - 1)
	whole, err := unix.Mmap(-1, 0, size+hugePage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("allocate %d bytes: %w", n, err)
	}
	skip := int(-address(whole) & (hugePage - 1))
	part := whole[skip : skip+size : skip+size]
	_ = unix.Madvise(part, unix.MADV_HUGEPAGE) // a wish: small pages do as well
	return &hugeBlock{whole, part[:n:n]}, nil
}

// Release gives the pages that lie within p, a part of a Block, back to the system,
// where it can be asked to take them: they read as zeros then. Readers may run beside
// it.
func Release(p []byte) {
	page := os.Getpagesize()
	skip := int(-address(p) & uintptr(page-1))
	if n := (len(p) - skip) &^ (page - 1); n > 0 {
		_ = unix.Madvise(p[skip:skip+n], unix.MADV_DONTNEED) // a wish: locked memory is not taken back
	}
}

type hugeBlock struct{ whole, part []byte }

func (b *hugeBlock) Bytes() []byte { return b.part }

func (b *hugeBlock) Close() error {
	if b.whole == nil {
		return nil
	}
	whole := b.whole
	b.whole, b.part = nil, nil
	return unix.Munmap(whole)
}
