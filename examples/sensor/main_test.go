package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tarndb/tarn"
)

// child names, in the environment, the store of a process that is to be killed.
const child = "SENSOR_STORE"

const all = 6_000

func TestMain(m *testing.M) {
	if dir := os.Getenv(child); dir != "" {
		if err := run(context.Background(), dir, all, os.Stdout); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func TestKilledOverAndOverItHoldsEveryReadingOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	for range 3 {
		killAfterSome(t, dir)
	}
	require.NoError(t, run(context.Background(), dir, all, io.Discard))
	requireReadings(t, dir, all)
}

func TestStartedAgainWithNothingNewItWritesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	require.NoError(t, run(context.Background(), dir, 100, io.Discard))
	var out bytes.Buffer
	require.NoError(t, run(context.Background(), dir, 100, &out))
	require.True(t, strings.HasPrefix(out.String(), "100 readings are there"), out.String())
	requireReadings(t, dir, 100)
}

// killAfterSome runs the program in a process of its own and kills it when it has
// said that some readings are sent.
func killAfterSome(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), child+"="+dir)
	said, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = said.Read(make([]byte, 64)) // it has opened the store
	require.NoError(t, err)
	_, _ = said.Read(make([]byte, 64)) // and sent some, or come to its end
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait() // killed, or done
}

// requireReadings asserts that the store holds the readings 1 to last, each as it
// was, and nothing else.
func requireReadings(t *testing.T, dir string, last uint64) {
	t.Helper()
	ctx := context.Background()
	db, err := tarn.Open(dir, &tarn.Options{ReadOnly: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	c, err := db.Collection("readings")
	require.NoError(t, err)
	at, ok := c.Position(source)
	require.True(t, ok)
	require.Equal(t, last, at)
	next := uint64(1)
	for p, err := range c.All(ctx) {
		require.NoError(t, err)
		require.Equal(t, reading(next), p)
		next++
	}
	require.Equal(t, last+1, next)
}
