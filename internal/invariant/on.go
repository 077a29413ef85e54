//go:build invariants

package invariant

import "fmt"

// Enabled reports whether assertions are compiled in.
const Enabled = true

// Check panics when an assertion does not hold.
func Check(holds bool, format string, args ...any) {
	if !holds {
		panic("invariant broken: " + fmt.Sprintf(format, args...))
	}
}
