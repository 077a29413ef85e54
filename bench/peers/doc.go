// Command peers measures Tarn beside other stores, one thread each, in turn, and
// writes ../RESULTS.md.
//
//	                         ┌─> peers.py hnswlib ┐
//	measure ── A B A B ──────┼─> peers.py faiss   ├── rows, seconds ──> judge ──> results/*.json
//	 (rounds, beams)         └─> peers serve      ┘                                   │
//	                              (Tarn's public Search)                  report ──> ../RESULTS.md, ../plots
//
// Use, from this folder:
//
//	TARN_DATA=folder go run . graph            search, build and memory on all sets
//	TARN_DATA=folder go run . graph -set NAME  on one of them
//	go run . report                            tables and plots anew from results/
//	go run . profile NAME FILE                 where Tarn's searches spend their time
//
// Python's libraries, of the versions in requirements.txt, are put into .venv, and
// what they built into data/; neither is part of the repository.
//
// Invariants:
//
//	I1  All are asked the same queries and judged by the same judge, ties by
//	    distance.
//	I2  Ratios are of one round: what one contender was measured by, the others were
//	    within the same second. The median over the rounds is quoted.
//	I3  A section of RESULTS.md is replaced as a whole, the others stay.
//
// Concurrency: contenders are processes, of which one works at a time.
//
// What it does not do: tune the others beyond M and efConstruction.
package main
