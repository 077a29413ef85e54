// Migrate copies every collection of a chromem-go database into a Tarn store.
//
//	cd examples/migrate
//	go run . -from ./chromem-db -to ./tarn-db
//
//	chromem.Collection ──QueryEmbedding(k = Count)──> documents ──Stream──> collection
//	   id, metadata, content, embedding                  key, payload, payload["content"], vector
//
// Invariants:
//
//	I1  A document keeps its id as key. Run again, it is written over, not added.
//	I2  A collection is either copied whole, all of it durable, or the error says how
//	    many documents were.
//
// Concurrency: one collection after the other.
//
// What it does not do: bring the embedding function along, which is code. chromem-go
// keeps embeddings at length 1; what comes over is what it kept.
package main
