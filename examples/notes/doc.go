// Notes finds passages of your own notes by what they mean.
//
//	go run ./examples/notes -store /tmp/notes.tarn index ~/notes
//	go run ./examples/notes -store /tmp/notes.tarn search how do I prune an apple tree
//
// Texts are embedded by a server that speaks the OpenAI API for embeddings, such as
// Ollama on this machine (the default: ollama pull nomic-embed-text):
//
//	-url http://localhost:11434/v1 -model nomic-embed-text
//	-url https://api.openai.com/v1 -model text-embedding-3-small   with OPENAI_API_KEY set
//
//	folder ──> passages ──new or changed──> Embedder ──> stream ──> collection
//	question ──────────────────────────────> Embedder ──> Search ──> passages
//
// Invariants:
//
//	I1  A passage is named by its file and its place in it. Indexed again, only what
//	    is new or has changed is embedded; what is gone is deleted.
//	I2  A file's passages replace the earlier ones after they are embedded: if the
//	    server fails, the store is as it was or further, and index goes on from there.
//
// Concurrency: one command at a time; the store's lock sees to it.
//
// What it does not do: watch the folder, read formats other than text and Markdown,
// or choose a model for you. Another model means another store.
package main
