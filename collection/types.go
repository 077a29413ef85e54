package collection

import (
	"time"

	"github.com/tarndb/tarn/internal/kernel"
)

// Metric says what Result.Distance is. Smaller is nearer, for every metric. NaN,
// infinities and vectors whose squared norm reaches a quarter of the largest
// float32 are refused (ErrInvalidVector), in points and in queries.
type Metric uint8

const (
	// L2 is the Euclidean distance.
	L2 Metric = iota
	// Cosine is 1 minus the cosine similarity; the zero vector is refused, and so is
	// one that is shorter than 2^-60, whose direction float32 does not hold.
	Cosine
	// Dot is minus the inner product.
	Dot
)

var metricNames = []string{"l2", "cosine", "dot"}

// String returns the name that the stored configuration uses: l2, cosine, dot.
func (m Metric) String() string { return enumName(int(m), metricNames) }

func (m Metric) kernel() kernel.Metric {
	return [...]kernel.Metric{L2: kernel.L2, Cosine: kernel.Cosine, Dot: kernel.Dot}[m]
}

// KeyKind says how the points of a collection are named.
type KeyKind uint8

const (
	// Uint64Keys names points by Point.ID; every uint64 is legal.
	Uint64Keys KeyKind = iota
	// StringKeys names points by Point.Key, 1 to 1024 bytes of UTF-8. The ID is the
	// collection's own: it is given when the key comes and kept while it is there.
	StringKeys
)

var keyNames = []string{"uint64", "string"}

// String returns the name that the stored configuration uses.
func (k KeyKind) String() string { return enumName(int(k), keyNames) }

// WriteMode says what the return of Upsert and Delete means.
type WriteMode uint8

const (
	// WriteAPI: they return when the write is on stable storage.
	WriteAPI WriteMode = iota
	// WriteStreaming: they return when the write is logged and searchable; it is
	// fsynced within the flush interval of the stream, or 50 ms without one. A
	// killed process loses nothing, a power cut at most that interval.
	WriteStreaming
)

var modeNames = []string{"api", "streaming"}

// String returns the name that the stored configuration uses: api, streaming.
func (w WriteMode) String() string { return enumName(int(w), modeNames) }

// Engine is the kind of graph that a collection is searched with.
type Engine uint8

const (
	// EngineNative is package hnsw.
	EngineNative Engine = iota
	// EngineCoder is github.com/coder/hnsw, for comparison. It keeps the promises
	// durable, atomic and restored, and does not keep searchable: its recall is
	// low at any beam, so a point may not be found by its own vector. On Windows it
	// does not exist (ErrInvalidConfig): a package that it imports does not build there.
	EngineCoder
)

var engineNames = []string{"native", "coder"}

// String returns the name that the stored configuration uses: native, coder.
func (e Engine) String() string { return enumName(int(e), engineNames) }

// IndexConfig are the parameters of the graph. Zero fields mean good defaults
// for the collection's Dim.
type IndexConfig struct {
	Engine         Engine // fixed for the life of the collection
	M              int    // links per node and layer, 2M on layer 0; 2 to 256
	EfConstruction int    // beam of an insert; 4 to 10 000
	EfSearch       int    // default beam of a search; 1 to 10 000; WithEf overrides it
}

// Config is the configuration of a collection. It is stored with it.
type Config struct {
	Dim       int              // required, 1 to Options.MaxDim; fixed for life
	Metric    Metric           // fixed for life
	Keys      KeyKind          // fixed for life
	WriteMode WriteMode        // what the return of Upsert and Delete means
	Index     IndexConfig      // zero value: good defaults for Dim
	Streaming *StreamingConfig // nil: streaming is not configured
	Fields    []string         // payload fields (dotted paths) that have a filter index
}

// StreamingConfig is persisted with the collection and restored by Open. Zero
// fields mean the defaults; negative ones and those above 10 000 000, 1 000 000
// and an hour are errors. What waits is bounded in bytes too (64 MiB).
//
// Its JSON form is {"buffer_size":10000,"batch_size":128,"flush_interval_ms":50}.
type StreamingConfig struct {
	BufferSize    int           // points accepted and not yet written, at most; default 10 000
	BatchSize     int           // points that trigger a flush at once; default 128; above BufferSize only time and Flush trigger
	FlushInterval time.Duration // longest wait of a partial batch; default 50 ms; whole milliseconds, rounded up
}

// Payload is a JSON object. What Get returns: numbers that JSON writes without
// point or exponent as int64 (uint64 above its range), so a float64 1.0 comes
// back as int64 1; other numbers as float64, objects as map[string]any, arrays
// as []any.
type Payload map[string]any

// Point is what a collection holds. What is passed in is copied.
type Point struct {
	ID      uint64
	Key     string // with StringKeys, where ID is ignored; else it must be empty
	Vector  []float32
	Payload Payload // nil: none
}

// Result is one answer of a search. Its slices and maps belong to the caller.
type Result struct {
	ID       uint64
	Key      string
	Distance float32   // smaller is nearer, for every metric
	Vector   []float32 // nil unless WithVectors
	Payload  Payload   // nil with WithoutPayload, and for a point without one
}

// Op is an upsert or a delete of one point.
type Op struct {
	Delete bool // only Point.ID or Point.Key is read then
	Point  Point
}

// Stats is what a collection tells of itself.
type Stats struct {
	Points, Deleted                       int   // live points; deleted ones whose slots are not reused yet
	InGraph, InDelta                      int   // where the live points are searched
	Rebuilding                            bool  // a Rebuild is running
	Rebuilds                              int64 // rebuilds since Open
	WALBytes                              int64 // records in the log that no checkpoint covers yet
	DiskBytes                             int64 // all files of the collection
	AppliedLSN, DurableLSN, CheckpointLSN uint64
	FieldsBuilding                        int         // of Config.Fields, those whose index is not ready: filters over them read payloads
	Stream                                StreamStats // zero without a stream

	GraphDistances int64 // distances that the serving graph computed, for searches and inserts
	Relinked       int64 // points that an audit did not find in the graph and had linked anew, since Open
}

// StreamStats counts points. Accepted == Written + Failed + Queued, always.
type StreamStats struct {
	Accepted uint64 // taken by a send
	Written  uint64 // durable and searchable; skipped ones count too
	Failed   uint64 // neither written nor waiting: failed, or handed back
	Rejected uint64 // never accepted; a refused batch counts each of its points
	Skipped  uint64 // of those Written: by From, because their offset was there already
	Queued   int    // accepted and not yet settled
	Batches  uint64 // batches written

	LastError error // of the last batch that failed, nil if none did
}

func enumName(i int, names []string) string {
	if i < len(names) {
		return names[i]
	}
	return "unknown"
}
