// Package godoc holds the demo's data: the doc comments of the exported symbols
// of Go's standard library with their embeddings, and questions to ask of them.
//
//	data/symbols.jsonl.gz   one Symbol a line            10 229
//	data/symbols.vec        their vectors, packed        10 229 x 384
//	data/queries.jsonl.gz   one question a line             120
//	data/queries.vec        their vectors, packed           120 x 384
//
// The vectors are packed to 10 bits a value with one scale a row, which keeps
// the ten nearest symbols of every question as they were with the half floats
// they come from. What Load returns is the data: whoever wants exact answers
// computes them on these values.
//
// Invariants:
//
//	I1  A packed file decodes to exactly the counts its header names, or to an
//	    error: a byte too few, too many or flipped is never guessed around.
//	I2  Every decoded value lies within half a step of what was packed, where a
//	    row's step is its largest absolute value divided by 511.
//
// Concurrency: Load and Unpack share no state; what they return is the caller's.
//
// What it does not do: search, or normalise the vectors. The program beside it,
// convert, makes the files from the data set they come from.
package godoc
