package kernel

// PrefetchRow asks for the first lines cache lines of a slot's row. A slot
// without a row is ignored.
func PrefetchRow(rows *Rows, slot uint32, lines int) {
	if slot < rows.cap {
		prefetch(rows.row(slot), lines)
	}
}
