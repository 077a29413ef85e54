// Package progress shows how far long work is: a bar on a terminal, plain lines
// elsewhere.
//
//	work ──Start, Set, Add──> Bar    streaming   [#######.....]  58 %  5 912 of 10 229  44 100/s  1 s left
//	                     └──> Lines  streaming: 58 %, 5 912 of 10 229, 44 100/s, 1 s left
//
// Invariants:
//
//	I1  A bar is narrower than the terminal at the moment it is drawn, so it never
//	    wraps; what a terminal that became narrower wrapped is cleared first.
//	I2  A label that does not fit is cut; figures go before the bar does.
//
// Concurrency: safe for use by several goroutines.
//
// What it does not do: draw without being told. Who knows no steps calls Set now and
// then.
package progress
