package kernel

import "unsafe"

// PrefetchRow asks for the first lines cache lines of a slot's row. A slot
// without a row is ignored.
func PrefetchRow(rows *Rows, slot uint32, lines int) {
	if slot < rows.cap {
		prefetch(rows.row(slot), lines)
	}
}

// Prefetch asks for lines cache lines, the first being the one that *p is in.
func Prefetch[T any](p *T, lines int) { prefetch(unsafe.Pointer(p), lines) }
