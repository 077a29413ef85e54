package collection

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tarndb/tarn/internal/meta"
)

// streams is the stream of a collection, if it has one.
type streams struct {
	current atomic.Pointer[Stream]
	mu      sync.Mutex
	ended   bool // no stream takes the place of current any more
}

// install makes s the stream; false: the collection is being closed.
func (x *streams) install(s *Stream) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.ended {
		x.current.Store(s)
	}
	return !x.ended
}

// reopen lets a stream that could not be replaced go on, unless the collection is
// being closed.
func (x *streams) reopen(s *Stream) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.ended {
		s.in.Reopen()
	}
}

// end returns the last stream there will be, which takes no more; nil if there is
// none.
func (x *streams) end() *Stream {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ended = true
	s := x.current.Load()
	if s != nil {
		s.in.CloseIntake()
	}
	return s
}

func (x *streams) stats() StreamStats {
	if s := x.current.Load(); s != nil {
		return s.Stats()
	}
	return StreamStats{}
}

// before waits, holding no lock, until the stream has written what it accepted
// before this call for any id of ops, or is dead: an API write comes after it.
func (x *streams) before(ctx context.Context, ops []op) error {
	s := x.current.Load()
	if s == nil || s.queued.total.Load() == 0 {
		return nil
	}
	for i := range ops {
		if s.queued.has(ops[i].id) {
			return s.in.WaitMark(ctx, s.in.Mark())
		}
	}
	return nil
}

// Stream returns the collection's stream, running or not; ErrNotConfigured if it
// has none.
func (c *Collection) Stream() (*Stream, error) {
	if c.gate.closed() {
		return nil, c.wrap(ErrClosed)
	}
	if c.opts.ReadOnly {
		return nil, c.wrap(ErrReadOnly)
	}
	if s := c.stream.current.Load(); s != nil {
		return s, nil
	}
	return nil, c.wrap(ErrNotConfigured)
}

// EnableStreaming validates cfg (all bad fields in one ErrInvalidConfig), persists
// it, and starts the stream. A stream that is running takes no more (ErrClosed) and
// is drained first: nothing that it accepted is lost; if ctx ends or the disk is
// full before that, it goes on as it was.
func (c *Collection) EnableStreaming(ctx context.Context, cfg StreamingConfig) (*Stream, error) {
	if err := c.enterWrite(); err != nil {
		return nil, err
	}
	defer c.gate.leave()
	if err := cfg.Validate(); err != nil {
		return nil, c.wrap(err)
	}
	cfg = cfg.WithDefaults()
	s, err := c.replaceStream(ctx, &cfg)
	return s, c.wrap(err)
}

// DisableStreaming drains the stream and forgets its configuration.
func (c *Collection) DisableStreaming(ctx context.Context) error {
	if err := c.enterWrite(); err != nil {
		return err
	}
	defer c.gate.leave()
	_, err := c.replaceStream(ctx, nil)
	return c.wrap(err)
}

// replaceStream drains the current stream, persists cfg (nil: none) and starts a
// stream with it.
func (c *Collection) replaceStream(ctx context.Context, cfg *StreamingConfig) (*Stream, error) {
	if err := c.lockAdmin(ctx); err != nil {
		return nil, err
	}
	defer c.unlockAdmin()
	if err := c.failed(); err != nil {
		return nil, err
	}
	old := c.stream.current.Load()
	if old != nil {
		old.in.CloseIntake()
		if err := old.in.Drain(ctx); err != nil && !errors.Is(err, ErrStreamDead) && !errors.Is(err, ErrClosed) {
			c.stream.reopen(old)
			return nil, fmt.Errorf("the stream there is could not be drained, and stays: %w", err)
		}
	}
	if err := c.persistStreaming(ctx, cfg); err != nil {
		if old != nil {
			c.stream.reopen(old)
		}
		return nil, err
	}
	if old != nil && old.in.Err() == nil {
		old.in.Shutdown(context.WithoutCancel(ctx)) // it is empty: this only ends it
	}
	if cfg == nil {
		c.stream.current.Store(nil)
		return nil, nil
	}
	s, err := c.newStream(*cfg)
	if err == nil && !c.stream.install(s) {
		s.Abort() // nobody has seen it
		return nil, ErrClosed
	}
	return s, err
}

// persistStreaming makes cfg durable and puts it into force.
func (c *Collection) persistStreaming(ctx context.Context, cfg *StreamingConfig) error {
	err := c.persistConfig(ctx, func(config *Config) { config.Streaming = cfg }, func() {})
	if err == nil {
		c.sync.changed.broadcast()
	}
	return err
}

// persistConfig makes a change of the configuration durable and puts it into force,
// together with what then does under the publication lock. The checkpoint lock keeps
// a checkpoint from writing the older configuration after it. The caller holds admin.
func (c *Collection) persistConfig(ctx context.Context, change func(*Config), then func()) error {
	select {
	case c.check.lock <- struct{}{}:
		defer func() { <-c.check.lock }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := c.failed(); err != nil {
		return err
	}
	config := c.Config()
	change(&config)
	data, err := encodeConfig(config)
	if err != nil {
		return err
	}
	if err := c.meta.Commit(meta.Update{Config: data}); err != nil {
		return c.sticky(err)
	}
	c.publish.Lock()
	change(&c.config)
	then()
	c.publish.Unlock()
	return nil
}

const (
	// closeAttempts and closePause bound how long Close retries to write what a
	// stream holds while the disk is full: ten seconds. Then the stream is dead.
	closeAttempts = 100
	closePause    = 100 * time.Millisecond
)

// drainStream ends the stream at Close. What could not be written comes back in
// the error.
func (c *Collection) drainStream() error {
	s := c.stream.end()
	if s == nil {
		return nil
	}
	for n := 1; ; n++ {
		err := s.in.Drain(context.Background())
		if err == nil || !isTransient(err) {
			break
		}
		if n == closeAttempts {
			s.in.Kill(err)
			break
		}
		time.Sleep(closePause)
	}
	return undelivered(s.in.Shutdown(context.Background()))
}
