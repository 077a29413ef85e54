package tarn

import (
	"github.com/tarndb/tarn/collection"
	"github.com/tarndb/tarn/internal/vfs"
)

// WithKnobs returns options for tests that turn what users need not know.
func WithKnobs(k collection.Knobs) *Options { return &Options{knobs: k} }

// OpenFS is Open in a directory of any file system, for tests that cut its power.
func OpenFS(dir vfs.FS, opts *Options) (*DB, error) {
	return openDB(dir, "memory", opts.withDefaults())
}
