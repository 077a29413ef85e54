package collection

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/tarndb/tarn/delta"
	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/meta"
	"github.com/tarndb/tarn/internal/vecfile"
	"github.com/tarndb/tarn/internal/vfs"
	"github.com/tarndb/tarn/wal"
)

// Options say where a collection lives and what bounds it.
type Options struct {
	Name       string
	FS         vfs.FS       // the collection's folder; Close closes it
	ReadOnly   bool         // write no byte; the log is replayed in memory
	Logger     *slog.Logger // nil: none
	MaxPayload int          // bytes of one payload as JSON
	MaxK       int
	Knobs      Knobs
}

// Collection is one open collection. Its methods may be called from many
// goroutines; after Close they return ErrClosed.
type Collection struct {
	name string
	opts Options
	log  *slog.Logger
	fs   vfs.FS
	uuid [16]byte

	wal   *wal.Log
	store *vecfile.Store
	meta  *meta.Store
	ck    meta.Checkpoint // what Open found
	dirs  []vfs.FS        // to close
	maps  []vfs.Mapping   // graph files, to unmap

	gate    gate               // calls under way; Close waits for them
	ending  sync.Mutex         // held by Close and Drop from beginning to end
	bg      context.Context    // ends when background work shall stop
	stop    context.CancelFunc // ends bg
	workers sync.WaitGroup     // every goroutine of the collection

	admin   chan struct{}     // the lock of Rebuild, EnableStreaming and their like: a token
	writer  chan struct{}     // the writer lock: a token, so that waiting for it can be cancelled
	coming  atomic.Int32      // who wait for the writer lock
	slots   allocator         // by writer
	logged  map[string]uint64 // by writer: the highest offset in the log, per source
	buffers buffers           // by writer
	room    signal            // the delta or the log has shrunk, or nothing will ever shrink

	publish  sync.RWMutex // the publication lock
	ids      index        // by publish
	config   Config       // by publish
	live     bitmap.Set
	view     atomic.Pointer[view]
	moves    ring
	pubs     atomic.Uint64 // odd while a publication is under way
	applied  atomic.Uint64 // the last LSN that is published
	clock    atomic.Uint64 // of pins and deaths: counts publications, and swaps that freed slots; written under the writer lock
	digest   atomic.Uint64 // sum of the hashes of the live sidecar entries
	payloads payloads
	keys     keys
	fields   fields // by publish
	places   positions
	pins     pins
	scratch  scratches

	index    indexer
	check    checkpointer
	rebuild  rebuilder
	maintain maintainer
	stream   streams
	sync     syncer
	warm     chan struct{}         // asks for codes to be copied to huge pages
	poison   atomic.Pointer[error] // sticky, wraps ErrFailed or ErrCorrupt
	untold   atomic.Pointer[error] // first background error that no caller was told of
}

// view is what a search reads: a graph and what it does not hold. It is swapped
// whole, under the publication lock (I3).
type view struct {
	graph  engine
	delta  *delta.Buffer
	ef     int // EfSearch of the configuration that it came with: its points were asked for with that
	missed misses
}

// Name returns the collection's name.
func (c *Collection) Name() string { return c.name }

// Config returns the configuration in force. Zero fields of Index are what was
// given, and mean the defaults for Dim; those of Streaming are filled in.
func (c *Collection) Config() Config {
	c.publish.RLock()
	defer c.publish.RUnlock()
	return c.config.clone()
}

// Len returns the number of live points; after Close, of those that there were.
func (c *Collection) Len() int { return c.live.Len() }

// fail makes the first error sticky (I8) and returns it.
func (c *Collection) fail(err error) error {
	wrapped := fmt.Errorf("collection %q: %w", c.name, err)
	if c.poison.CompareAndSwap(nil, &wrapped) {
		c.room.broadcast()
		c.log.Error("collection takes no more writes until it is opened again", "collection", c.name, "error", err)
	}
	return *c.poison.Load()
}

// failed returns the sticky error, nil if there is none.
func (c *Collection) failed() error {
	if p := c.poison.Load(); p != nil {
		return *p
	}
	return nil
}

// background notes an error that happened while no caller was there to be told.
func (c *Collection) background(what string, err error) {
	wrapped := fmt.Errorf("collection %q: %s: %w", c.name, what, err)
	c.untold.CompareAndSwap(nil, &wrapped)
	c.log.Error("background work failed", "collection", c.name, "what", what, "error", err)
}

// hook tells a test which named step is reached.
func (c *Collection) hook(step string) {
	if c.opts.Knobs.Hook != nil {
		c.opts.Knobs.Hook(step)
	}
}

func (c *Collection) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("collection %q: %w", c.name, err)
}
