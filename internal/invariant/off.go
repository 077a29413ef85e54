//go:build !invariants

package invariant

// Enabled reports whether assertions are compiled in.
const Enabled = false

// Check does nothing without the build tag invariants.
func Check(bool, string, ...any) {}
