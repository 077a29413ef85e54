package tarn_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

// patience is how long a test waits for what must happen. It bounds a failure,
// it measures nothing.
const patience = 2 * time.Minute

// steps is a Hook that stops whoever comes to a named step.
//
//	test:  at := s.stop("x") ......... at.await() ── looks around ── at.release()
//	store: ─────────────────> step x ──┘  (waits)                      └──> goes on
type steps struct {
	mu    sync.Mutex
	stops map[string][]*stop
	do    map[string]func() // instead of a stop: called every time
}

// stop is one goroutine's halt at a step.
type stop struct {
	t       testing.TB
	step    string
	reached chan struct{}
	goOn    chan struct{}
	once    sync.Once
}

func newSteps() *steps {
	return &steps{stops: map[string][]*stop{}, do: map[string]func(){}}
}

// hook is the Knobs.Hook.
func (s *steps) hook(step string) {
	s.mu.Lock()
	do := s.do[step]
	var at *stop
	if waiting := s.stops[step]; len(waiting) > 0 {
		at, s.stops[step] = waiting[0], waiting[1:]
	}
	s.mu.Unlock()
	if do != nil {
		do()
	}
	if at != nil {
		close(at.reached)
		<-at.goOn
	}
}

// stop makes the next goroutine that comes to step wait there. A second stop of the
// same step is for the one after it.
func (s *steps) stop(t testing.TB, step string) *stop {
	at := &stop{t: t, step: step, reached: make(chan struct{}), goOn: make(chan struct{})}
	s.mu.Lock()
	s.stops[step] = append(s.stops[step], at)
	s.mu.Unlock()
	t.Cleanup(at.release)
	return at
}

// call runs fn at every step of that name; nil ends it.
func (s *steps) call(step string, fn func()) {
	s.mu.Lock()
	s.do[step] = fn
	s.mu.Unlock()
}

// await returns when somebody stands at the step.
func (at *stop) await() {
	at.t.Helper()
	select {
	case <-at.reached:
	case <-time.After(patience):
		at.t.Fatalf("nobody came to step %q", at.step)
	}
}

// release lets him go on, and whoever would have come later.
func (at *stop) release() { at.once.Do(func() { close(at.goOn) }) }

// inBackground runs fn and returns how to wait for its error.
func inBackground(t testing.TB, fn func() error) (wait func() error) {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	return func() error {
		t.Helper()
		select {
		case err := <-done:
			return err
		case <-time.After(patience):
			t.Fatal("a call does not return")
			return nil
		}
	}
}

// soon returns a context for what must happen without being told again.
func soon(t testing.TB) context.Context {
	c, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return c
}

// eventually asserts that a state is reached.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, patience, 2*time.Millisecond, what)
}

// crashCopy copies the directory of an open database as a killed process would
// leave it, and returns the copy's path.
func crashCopy(t testing.TB, path string) string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.CopyFS(copied, os.DirFS(path)))
	return copied
}

// openCollection opens the database in path and its collection "test".
func openCollection(t testing.TB, path string, opts *tarn.Options) (*tarn.Collection, *tarn.DB) {
	t.Helper()
	db, err := tarn.Open(path, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	c, err := db.Collection("test")
	require.NoError(t, err)
	return c, db
}
