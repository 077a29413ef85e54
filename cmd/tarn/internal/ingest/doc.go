// Package ingest reads points from NDJSON and streams them into a collection, each
// line once, however often it is killed and started again.
//
//	file or pipe ──> lines ──> parse (all processors) ──> batches in order
//	                             │ bad line                  │ From(source, line)
//	                             v                           v
//	                        side file, before its batch    stream ──> tickets ──> progress
//
// A line is one object:
//
//	{"id": 7, "vector": [0.1, 0.2, 0.3], "payload": {"title": "a small lake"}}
//
// id is an unsigned integer of 64 bits; a collection whose points are named by
// strings has "key" instead. payload may be absent. {"id": 7, "delete": true} deletes.
// Other members are an error of the line, so that none is lost unsaid. Empty lines
// are passed over. A line has at most 64 MiB.
//
// Invariants:
//
//	I1  The offset of a batch is the number of its last line, from 1, and is stored
//	    in the same record. So Position names the line up to which every line is
//	    stored, or reported.
//	I2  A bad line stands in the side file before the batch it would have been in
//	    is sent. What the side file says of the source's lines behind Position is
//	    removed before they are read again. So each bad line stands there once,
//	    beside those of other sources.
//	I3  What was accepted is written before Run returns, whatever ended it.
//
// Concurrency: Run starts goroutines and ends them before it returns.
//
// What it does not do: embed text, guess a dimension, or write without a source.
package ingest
