// Package watch carries, in a context, who wants to know how far a long operation
// is.
//
//	caller ──With(ctx, fn)──> Verify, Backup, Rebuild, ... ──Tell(ctx, ...)──> fn
//
// Invariants:
//
//	I1  Tell costs a look into the context if nobody watches, and never fails.
//	I2  done is at most total. A stage may be told several times over: a Compact
//	    builds two graphs.
//
// Concurrency: fn is called from any goroutine of the operation, from several at
// once; it returns soon and calls nothing of the store.
//
// What it does not do: estimate what is left. Who shows it has a clock.
package watch
