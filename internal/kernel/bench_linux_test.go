package kernel

import "syscall"

// hugePages asks for huge pages, as the store does for its copy of the codes.
func hugePages(b []byte) {
	const madvHugepage = 14
	_ = syscall.Madvise(b, madvHugepage) // refused: the benchmark is slower, that is all
}
