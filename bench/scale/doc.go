// Scale measures how a store grows: the same life with a tenth of the points and
// with all of them.
//
//	go run ./bench/scale                        100 000 and 1 000 000 points of 128 dimensions
//	go run ./bench/scale -n 200000 -dim 384
//
//	one process per size: stream ─> delta empty ─> search ─> rebuild ─> close ─> open ─> search
//	                        │           │            │          │         │       │
//	                     durable/s   indexed/s   recall, times  time    disk   first answer, memory
//
// Points are drawn from a mixture of clusters in a space of -intrinsic dimensions, with
// a fixed seed. Beside the clock stands the time of the processors, which other work on
// the machine changes less.
//
// Invariants:
//
//	I1  Both sizes are drawn from the same clusters, so the larger set is the denser.
//	I2  Recall is against the exact neighbours, worked out before anything is timed.
//
// Concurrency: one producer; one searcher, when nothing is written.
//
// What it does not do: compare with other stores; bench/peers does.
package main
