// Package invariant holds assertions that cost nothing unless they are asked
// for.
//
//	go test ./...                      Enabled is false, Check is empty
//	go test -tags invariants ./...     Enabled is true, Check panics
//
// Invariants:
//
//	I1  Without the tag a Check is inlined to nothing; work that only an
//	    assertion needs stands inside `if invariant.Enabled { ... }`.
//
// Concurrency: everything here is a constant or a pure function.
//
// What it does not do: judge input or files. Those fail with errors; a Check
// that fails is a bug in this project.
package invariant
