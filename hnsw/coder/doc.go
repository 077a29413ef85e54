// Package coder puts github.com/coder/hnsw behind the methods of package hnsw, for
// comparison.
//
//	slot ──> copy of its float32 row ──> coder/hnsw ──> candidates ──> live ones
//
// Its promises are less: its recall is low at any beam, so a point need not be
// found by its own vector, and it is not saved but built again at Open.
//
// Concurrency: one lock for everything, since coder/hnsw has none.
//
// What it does not do: repair, relink, or save.
package coder
