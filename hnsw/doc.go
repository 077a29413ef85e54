// Package hnsw is a graph index over slots: it finds the nearest of many vectors
// by walking from neighbour to neighbour (Malkov and Yashunin, 2016).
//
//	query ──> upper layers ──> layer 0: a beam over 8-bit codes ──> float32 ──> k
//	slot  ──> flat rows of links, in chunks that never move
//
// Invariants:
//
//	G1  Every slot of the graph is reached from the entry point: each has an anchor
//	    whose link to it no prune takes. Dead ones through which nothing else is
//	    reached are let go by a repair.
//	G2  A slot's rows do not change while the graph lives.
//
// Concurrency: readers take no lock; inserts lock single rows and run side by side.
//
// A Graph reads the rows of a Source, as a collection has one. An Index is a Graph
// with a Source of its own in memory, for programs that want no database:
//
//	NewIndex ──> Add, AddAll ──> Search, Delete, Repair ──> Save ──> LoadIndex
//
// What it does not do: know ids, payloads or files; and a Graph owns no vectors.
package hnsw
