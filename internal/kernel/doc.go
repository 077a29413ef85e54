// Package kernel computes distances between one query and many rows, and turns
// vectors into rows of 8-bit codes.
//
//	             chunk 0              chunk 1            a Rows table: slot s is row
//	Rows ──> [row|row|...|row]  [row|row|...|row] ...    s & (1<<shift - 1) of chunk s >> shift
//
//	code row, whole cache lines:
//	┌───────┬──────┬─────┬──────┬────┬──────┬───────┬───────┬─────────────┬─────────┐
//	│ scale │ zero │ sum │ mean │ rr │ norm │ resid │ rnorm │ dim codes   │ padding │
//	└───────┴──────┴─────┴──────┴────┴──────┴───────┴───────┴─────────────┴─────────┘
//	  32 bytes of header                                      i8 each
//
//	query ──Set──> its own code row and float32 form
//	                 ├─ Codes(slots)   -> approximate distances
//	                 ├─ Bounds(slots)  -> the same, and how far off they may be
//	                 └─ Vectors(slots) -> exact distances from the float32 rows
//
// A code row needs no training: each vector (for cosine its direction) is
// centred on its own mean, and what is left is cut into 254 equal steps between
// its smallest and its largest component. The zero is a code, so the product of
// two rows is one exact integer times two steps; and the mean being kept apart,
// data far from the origin lose no digits.
//
// Distances are squared Euclidean (L2), 1 - cos (Cosine) and -dot (Dot).
//
// Tiers, chosen once at start; TARN_KERNEL=go|avx2|avx512|vnni|neon|neondot
// forces one, Tier says which it is:
//
//	tier     codes                                 float32            machine
//	go       one by one                            one by one         any
//	avx2     16 bits wide (VPMADDWD)               AVX2 and FMA       amd64
//	avx512   16 bits wide, 32 at once              AVX-512            amd64 with F, BW, VL
//	vnni     64 at once (VPDPBUSD)                 AVX-512            the same with VNNI
//	neon     bytes widened (SMULL, SADALP)         NEON               arm64
//	neondot  16 at once (SDOT)                     NEON               arm64 with dot products
//
// Vectors are encoded in AVX2 by avx2, in AVX-512 by avx512 and vnni, and one by
// one by the others.
//
// A call resolves its slots to addresses, asks for the first rows, and computes
// four rows at a time while later ones arrive in the second-level cache.
// The assembly of amd64 is written by the program in gen (go generate).
//
// Invariants:
//
//	I1  Within a tier, Distance and Vectors agree to the bit.
//	I2  A code row's bytes depend on metric and vector only, not on tier or
//	    machine.
//	I3  So do approximate distances, as functions of two code rows.
//	I4  Vectors whose squared norm is below MaxNormSquared have no distance that
//	    is NaN. L2 and cosine distances are never negative, and the exact L2
//	    distance of a vector from itself is 0.
//	I5  Assembly reads inside the rows of the slots it was given, nowhere else;
//	    a slot without a row is a panic.
//
// Concurrency: Rows are immutable; rows are read without locks, so a row is
// written before its slot is handed out. A Query belongs to one goroutine at a
// time. Functions may be called from anywhere.
//
// What it does not do: check vectors (Check helps its callers do so), choose
// what to compare, or own memory.
package kernel
