// Package tarn is an embedded vector store that you stream into: a directory on
// disk, a package in your program.
//
//	db, err := tarn.Open("data", nil)
//	docs, err := db.EnsureCollection(ctx, "docs", tarn.CollectionConfig{Dim: 384, Metric: tarn.Cosine})
//	err = docs.Upsert(ctx, tarn.Point{ID: 1, Vector: v, Payload: tarn.Payload{"title": "a"}})
//	near, err := docs.Search(ctx, query, 10)
//
//	 Upsert, Delete ─┐                 ┌─> delta ─┐     delta: what no graph holds yet,
//	 Stream ─────────┴─> log ─> slots ─┤          ├─> Search     scanned exactly
//	                                   └─> graph ─┘     graph: everything else
//
// # What is promised
//
//   - Searchable: a search that starts after a write was acknowledged sees it, and
//     none sees a point after its delete was; while the index is rebuilt, too.
//   - Durable: Upsert and Delete return when the write is on stable storage
//     (WriteAPI), or logged (WriteStreaming). A stream's Ticket and Flush stand for
//     stable storage.
//   - Atomic: one Upsert or Delete is there whole after a crash, or not at all.
//   - Ordered: writes to one id take effect in the order in which they were
//     accepted, streams and calls alike.
//   - Restored: Open brings back the configuration, with the stream running.
//   - Honest: a damaged file is reported, never guessed around.
//   - Bounded: memory, log and delta have limits; at the limit writers wait, or
//     TrySend says ErrBufferFull.
//
// # Where the methods are
//
// What a collection and a stream can do is declared in package collection, under the
// names that this package gives on:
//
//	go doc github.com/tarndb/tarn/collection Collection
//	go doc github.com/tarndb/tarn/collection Stream
//	go doc github.com/tarndb/tarn/collection Collection.Upsert
//
// # Concurrency
//
// Every method may be called from any goroutine. Slices and maps that go in are
// copied, those that come out belong to the caller. One process holds a directory
// for writing; several may hold it read-only.
//
// # What it does not do
//
// It embeds no text, speaks no network protocol, and does not spread over several
// machines.
package tarn
