package kernel

import "unsafe"

// PrefetchRow asks for the first lines cache lines of a slot's row. A slot
// without a row is ignored.
func PrefetchRow(rows *Rows, slot uint32, lines int) {
	if slot < rows.cap {
		prefetch(rows.row(slot), lines)
	}
}

// PrefetchVector asks for the first 2 KiB of a vector, which is about what a processor
// has on its way at a time.
func PrefetchVector(v []float32) {
	if len(v) > 0 {
		prefetch(unsafe.Pointer(unsafe.SliceData(v)), min(32, (len(v)+15)/16))
	}
}
