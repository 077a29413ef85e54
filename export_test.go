package tarn

import "github.com/tarndb/tarn/collection"

// WithKnobs returns options for tests that turn what users need not know.
func WithKnobs(k collection.Knobs) *Options { return &Options{knobs: k} }
