package streaming

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Defaults of Config, and the largest values it may have.
const (
	DefaultBufferSize    = 10_000
	DefaultBatchSize     = 128
	DefaultFlushInterval = 50 * time.Millisecond
	DefaultMaxBytes      = 64 << 20

	MaxBufferSize    = 10_000_000
	MaxBatchSize     = 1_000_000
	MaxFlushInterval = time.Hour
	MaxMaxBytes      = 1 << 30
)

// Config is the size and rhythm of a stream. Zero fields mean the defaults.
type Config struct {
	BufferSize    int           // points accepted and not yet settled, at most
	BatchSize     int           // points that trigger a flush at once; when larger than BufferSize only time and Flush trigger
	FlushInterval time.Duration // longest wait of a partial batch; rounded up to whole milliseconds
	MaxBytes      int64         // bytes accepted and not yet settled, at most; a quarter of it fills a batch too
}

// WithDefaults returns the config with zero fields filled in and the interval
// in whole milliseconds.
func (c Config) WithDefaults() Config {
	if c.BufferSize == 0 {
		c.BufferSize = DefaultBufferSize
	}
	if c.BatchSize == 0 {
		c.BatchSize = DefaultBatchSize
	}
	if c.FlushInterval == 0 {
		c.FlushInterval = DefaultFlushInterval
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMaxBytes
	}
	if rest := c.FlushInterval % time.Millisecond; rest > 0 {
		c.FlushInterval += time.Millisecond - rest
	}
	return c
}

// Validate reports every bad field.
func (c Config) Validate() error {
	return errors.Join(
		within("BufferSize", c.BufferSize, MaxBufferSize),
		within("BatchSize", c.BatchSize, MaxBatchSize),
		within("FlushInterval", c.FlushInterval, MaxFlushInterval),
		within("MaxBytes", c.MaxBytes, MaxMaxBytes),
	)
}

func within[N int | int64 | time.Duration](field string, n, most N) error {
	if n < 0 {
		return fmt.Errorf("%s is negative: %v", field, n)
	}
	if n > most {
		return fmt.Errorf("%s is above %v: %v", field, most, n)
	}
	return nil
}

// Options say what a stream carries and where it goes. Flush is required.
type Options[T any] struct {
	Config

	// Flush writes items, durably unless Durable is set, and returns when that is done
	// or has failed. It must neither keep nor change items. nil: all are written. A *PartialError:
	// all but those. An error that Transient accepts: none is written, and the
	// batch is tried again. Once its context is cancelled it may return
	// context.Canceled: none is written, and they are handed back. Any other
	// error, or a panic, is the death of the stream.
	Flush func(ctx context.Context, items []T) error

	// Durable, if set, is asked after every Flush that wrote items what to wait for
	// until these are durable; Flush itself need not wait for that, then. nil: for
	// nothing. What it returns is called once. While more is due, the next batches are
	// flushed beside it, so that they may share what it waits for. An error of it is
	// the death of the stream: its batch and those after it are handed back.
	Durable func() (wait func() error)

	// Settled, if set, is told the fate of every item once, in order: written
	// (nil) or failed. It runs before the tickets of those items return, one call at a
	// time, beside a Flush of later items if Durable is set.
	Settled func(items []T, err error)

	// Crowded, if set, is told true when the stream has such a backlog that as much waits
	// as a flush ever holds, or that the next one may hold so much, and the last one took
	// no longer than FlushInterval; and false when that is over. The goroutine that calls
	// Flush calls it, in turn, and no backlog outlasts a failure or the stream.
	Crowded func(bool)

	Size      func(T) int      // bytes of an item; nil: 0
	Points    func(T) int      // what an item counts for: 1, or 0 for a marker; nil: 1
	Transient func(error) bool // nil: no error is transient
	Logger    *slog.Logger     // nil: no logging
}

func (o Options[T]) withDefaults() Options[T] {
	o.Config = o.Config.WithDefaults()
	if o.Durable == nil {
		o.Durable = func() func() error { return nil }
	}
	if o.Settled == nil {
		o.Settled = func([]T, error) {}
	}
	if o.Crowded == nil {
		o.Crowded = func(bool) {}
	}
	if o.Size == nil {
		o.Size = func(T) int { return 0 }
	}
	if o.Points == nil {
		o.Points = func(T) int { return 1 }
	}
	if o.Transient == nil {
		o.Transient = func(error) bool { return false }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options[T]) validate() error {
	if o.Flush == nil {
		return errors.Join(errors.New("Flush is missing"), o.Config.Validate())
	}
	return o.Config.Validate()
}
