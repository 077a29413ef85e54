// Command peers measures Tarn, beside other stores where there are such, and writes
// ../RESULTS.md.
//
//	                         ┌─> peers.py hnswlib ┐
//	measure ── A B A B ──────┼─> peers.py faiss   ├── rows, seconds ──> judge ──> results/*.json
//	 (rounds, beams)         └─> peers serve      ┘                                   │
//	                              (Tarn's public Search)                  report ──> ../results/graph.md, ../plots
//	databases, window ── driver.py, window.py, Tarn and others of Go ──> ../results/*.md
//	                 (stores/*.py, *store.go: one a file)
//	repeat ── go test -bench, go run, as the fragment says ──> ../results/*.md
//	assemble ── ../results/*.md, in the order of sections ──> ../RESULTS.md
//
// Use, from this folder:
//
//	TARN_DATA=folder go run . all              everything
//	TARN_DATA=folder go run . graph            search, build and memory on all sets
//	TARN_DATA=folder go run . graph -set NAME  on one of them
//	go run . databases                         stores beside each other, ingestion to kill; generated
//	TARN_DATA=folder go run . databases        the same on debdocs-minilm
//	go run . window                            recall while points come and go
//	go run . repeat SECTION                    the commands in ../results/SECTION.md
//	go run . report                            tables, plots and page anew from what is there
//	go run . profile NAME FILE                 where Tarn's searches spend their time
//
// Python's libraries, of the versions in requirements*.txt, are put into tarn-peers of
// the user's cache folder, what they built into data/; neither is part of the
// repository.
//
// Invariants:
//
//	I1  All are asked the same queries and judged by the same judge, ties by
//	    distance.
//	I2  Ratios are of one round: what one contender was measured by, the others were
//	    within the same second. The median over the rounds is quoted.
//	I3  RESULTS.md is its fragments and nothing else; a section is replaced as a
//	    whole, or between the marks of a run, and the others stay.
//
// Concurrency: contenders are processes, of which one works at a time.
//
// What it does not do: tune the others beyond M and efConstruction.
package main
