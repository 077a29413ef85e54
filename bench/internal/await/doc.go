// Package await waits for what a store does in the background.
//
//	write ──> delta ──indexers──> graph ──> audit, rebuild, indexes of fields
//	            │                   │                      │
//	            │ empty, or a few   │                      │ no distance computed,
//	            │ stay for good     │                      │ nothing running
//	            └────> Indexed <────┘                      └────> Idle
//
// A graph may not find some of its points, however they are linked: those stay in the
// delta on purpose, where searches find them, so who waits for an empty delta may wait
// for ever.
//
// Invariants:
//
//	I1  At most one point in a thousand counts as staying for good.
//	I2  A wait ends: with an error when the delta has not been smaller than before for
//	    ten minutes.
//	I3  What is timed ends with the last change of the delta, not with the looks that
//	    tell that none follows.
//
// Concurrency: waits may run beside each other, and Indexed beside searches; Idle
// waits for their end.
//
// What it does not do: stop writers. Who waits has seen to that.
package await
