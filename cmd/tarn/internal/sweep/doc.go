// Package sweep draws what a store's own benchmark measured.
//
//	Point{ef, recall, p50, p99} ... ──Draw──> recall over latency, as PNG, SVG or PDF
//
// It is a package of its own so that only the command is linked with a plotter.
//
// Invariants:
//
//	I1  The picture shows the points it was given, in their order, and nothing
//	    else.
//
// Concurrency: pure functions.
//
// What it does not do: measure.
package sweep
