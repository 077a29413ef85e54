package main

import (
	"os"
	"strings"
)

// entrant is a store in the comparison, and what its documentation says it promises.
type entrant struct {
	name     string
	exact    bool // it has no beam
	bare     bool // its points carry no payload
	safe     safety
	packages string // of Python that it needs, as requirements-stores.txt names them
	// settings and promise are for the reader.
	settings, promise string
}

// safety is how a store comes to have a batch on the disk.
type safety int

const (
	unsafe safety = iota // it has no call for that
	asked                // by a call after the batch
	always               // by the write itself
)

var entrants = []entrant{
	{name: "tarn", safe: always, settings: "Upsert of each batch",
		promise: "each batch fsynced and searchable when acknowledged; payload filters"},
	{name: "tarn-stream", safe: asked, settings: "a stream of default size; durable: each batch's ticket is waited for",
		promise: "accepted: queued, visible within 50 ms; its ticket: fsynced and searchable; payload filters"},
	{name: "chromem-go", exact: true, settings: "AddDocuments with all processors, files not compressed",
		promise: "a file per document, written when acknowledged, not fsynced; visible at once; equality filters"},
	{name: "coder-hnsw", bare: true, settings: "M 16, saved at the end; it has no efConstruction, the default EfSearch 20 while building",
		promise: "in memory until Save; visible at once; no payloads, no filters"},
	{name: "vecgo", safe: asked, settings: "BatchInsert, L2 of the unit vectors (by MetricCosine its graph in memory does not find them), default graph (M 32, 300 candidates); durable: Commit() after each batch; Commit() at the end",
		promise: "in memory until Commit(), which writes a segment, fsynced; visible at once; a segment is scanned until enough of them are compacted; payload filters"},
	{name: "qdrant-edge", safe: asked, packages: "qdrant-edge-py", settings: "m 16, ef_construct 200; durable: flush() after each batch; optimize() at the end",
		promise: "written ahead when acknowledged, fsynced by flush(); visible at once, by a scan until optimize(); payload filters"},
	{name: "zvec", safe: asked, packages: "zvec", settings: "HNSW, m 16, ef_construction 200; durable: flush() after each batch; optimize() at the end",
		promise: "written ahead when acknowledged, fsynced by flush(); visible at once, by a scan until optimize(); payload filters"},
	{name: "lancedb", packages: "lancedb", settings: "IVF_HNSW_SQ, one partition, m 16, ef_construction 200, refine_factor 2; optimize() and create_index() at the end",
		promise: "a version per batch, not fsynced; visible at once, by a scan until create_index(); payload filters"},
	{name: "sqlite-vec", exact: true, safe: asked, packages: "sqlite-vec apsw", settings: "WAL, a transaction a batch, synchronous NORMAL; durable: FULL",
		promise: "SQLite's; visible at once; payload filters as metadata columns"},
	{name: "velesdb", safe: asked, packages: "velesdb", settings: "m 16, ef_construction 200, upsert_bulk_numpy; durable: flush() after each batch",
		promise: "logged when acknowledged; visible at once; payload filters"},
	{name: "chroma", safe: always, packages: "chromadb", settings: "max_neighbors 16, ef_construction 200, add() of each batch; reopened for each ef_search",
		promise: "a transaction of SQLite a batch, fsynced; visible at once; payload filters"},
	{name: "milvus-lite", packages: "milvus-lite", settings: "its engine without the gRPC adapter; HNSW, M 16, efConstruction 200; flush() and load() at the end",
		promise: "logged when acknowledged, not fsynced; visible at once, by a scan until flush(); payload filters"},
	{name: "hnswlib", bare: true, settings: "M 16, ef_construction 200, all processors, saved at the end",
		promise: "in memory until save_index; visible at once; no payloads, filter by a callback"},
	{name: "usearch", bare: true, settings: "connectivity 16, expansion_add 200, all processors, saved at the end",
		promise: "in memory until save; visible at once; no payloads, filter by a callback"},
}

// installStores puts what requirements-stores.txt names beside Python's libraries,
// one by one, and returns for each entrant that does not install why.
func installStores() map[string]string {
	failed := map[string]string{} // by package
	err := venv()
	python, _ := pythonPath() // venv has asked for it
	text, err2 := os.ReadFile("requirements-stores.txt")
	for _, line := range strings.Fields(string(text)) {
		name, _, _ := strings.Cut(line, "==")
		if err == nil && run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", line) != nil {
			failed[name] = "does not install: " + line
		}
	}
	absent := map[string]string{} // by entrant
	for _, e := range entrants {
		switch {
		case goStores[e.name] != nil:
		case err != nil:
			absent[e.name] = "does not install: Python's " + err.Error()
		case err2 != nil:
			absent[e.name] = "does not install: " + err2.Error()
		default:
			for _, name := range strings.Fields(e.packages) {
				if why, ok := failed[name]; ok {
					absent[e.name] = why
				}
			}
		}
	}
	return absent
}
