package tarn

import (
	"log/slog"

	"github.com/tarndb/tarn/collection"
)

// Defaults of Options.
const (
	DefaultMaxDim     = 65_536
	DefaultMaxPayload = 1 << 20
	DefaultMaxK       = 10_000
)

// Options are the options of Open. The zero value means the defaults.
type Options struct {
	// ReadOnly opens without writing a byte: the log is replayed in memory. Several
	// readers may, none beside a writer (ErrLocked). A missing path is ErrNotFound;
	// whatever writes returns ErrReadOnly.
	ReadOnly bool
	Logger   *slog.Logger // nil: no logging

	MaxDim     int // largest CollectionConfig.Dim, default 65 536
	MaxPayload int // bytes of one payload as JSON, default 1 MiB
	MaxK       int // largest k of a search, default 10 000

	knobs collection.Knobs // for tests
}

func (o *Options) withDefaults() Options {
	var r Options
	if o != nil {
		r = *o
	}
	if r.Logger == nil {
		r.Logger = slog.New(slog.DiscardHandler)
	}
	def := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	def(&r.MaxDim, DefaultMaxDim)
	def(&r.MaxPayload, DefaultMaxPayload)
	def(&r.MaxK, DefaultMaxK)
	return r
}

// Metrics, write modes, key kinds and engines.
const (
	L2     = collection.L2
	Cosine = collection.Cosine
	Dot    = collection.Dot

	WriteAPI       = collection.WriteAPI
	WriteStreaming = collection.WriteStreaming

	Uint64Keys = collection.Uint64Keys
	StringKeys = collection.StringKeys

	EngineNative = collection.EngineNative
	EngineCoder  = collection.EngineCoder
)

// The types of a collection; package collection says more of each.
type (
	Collection       = collection.Collection   // one open collection: write, read, search, stream
	CollectionConfig = collection.Config       // what a collection is made with
	Metric           = collection.Metric       // how far apart two vectors are
	KeyKind          = collection.KeyKind      // whether ids or strings name the points
	WriteMode        = collection.WriteMode    // what is durable when Upsert and Delete return
	IndexConfig      = collection.IndexConfig  // the parameters of the graph
	Engine           = collection.Engine       // which graph it is
	Payload          = collection.Payload      // the JSON object stored with a point
	Point            = collection.Point        // what is written and read: id or key, vector, payload
	Result           = collection.Result       // one answer of a search
	SearchOption     = collection.SearchOption // changes one search
	Stats            = collection.Stats        // what a collection tells of itself

	Stream          = collection.Stream          // takes points and writes them in micro-batches
	StreamingConfig = collection.StreamingConfig // how large and how often those are
	StreamStats     = collection.StreamStats     // counts the points of a stream
	SendOption      = collection.SendOption      // changes one SendBatch or SendOps
	Ticket          = collection.Ticket          // waits until what was sent is durable
	Op              = collection.Op              // an upsert or a delete of one point

	InvalidPointError = collection.InvalidPointError // names the point of a batch that was refused
	UndeliveredError  = collection.UndeliveredError  // holds what a stream has not written
)

// DefaultStreamingConfig returns 10 000 points, 128 points, 50 ms.
func DefaultStreamingConfig() StreamingConfig { return collection.DefaultStreamingConfig() }

// WithEf sets the beam of a search: below 1 is ErrInvalidArgument, below k means k.
func WithEf(ef int) SearchOption { return collection.WithEf(ef) }

// WithExact scans all points: recall 1.
func WithExact() SearchOption { return collection.WithExact() }

// WithFilter searches among the points whose payload fulfils f: the nearest of them,
// min(k, matching) however few match. nil means no filter. Filters over
// CollectionConfig.Fields are quick; others are decided by reading payloads.
func WithFilter(f Filter) SearchOption { return collection.WithFilter(f) }

// WithMaxDistance leaves out results whose Distance is above d; NaN is
// ErrInvalidArgument.
func WithMaxDistance(d float32) SearchOption { return collection.WithMaxDistance(d) }

// WithVectors fills Result.Vector with the bits that were written.
func WithVectors() SearchOption { return collection.WithVectors() }

// WithoutPayload leaves Result.Payload nil.
func WithoutPayload() SearchOption { return collection.WithoutPayload() }

// From makes a SendBatch or SendOps carry its place in a source: the batch and the
// offset become durable in one record, Position returns the highest one after any
// crash, and a batch whose offset is not above it is skipped, so that replaying a
// source writes nothing twice. One producer per source.
func From(source string, offset uint64) SendOption { return collection.From(source, offset) }
