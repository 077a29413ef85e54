package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

// child names, in the environment, the folder of a process that is to be killed.
const child = "NATS_EXAMPLE_DIR"

const all = 12_000

func TestMain(m *testing.M) {
	if dir := os.Getenv(child); dir != "" {
		if err := run(context.Background(), dir, all, os.Stdout); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestKilledOverAndOverItStoresEveryMessageOnce(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		killAfterSome(t, dir)
	}
	var out strings.Builder
	require.NoError(t, run(context.Background(), dir, all, &out))
	require.NotContains(t, out.String(), "behind message 0\n", "it did not begin anew")

	db, err := tarn.Open(filepath.Join(dir, "store"), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	events, err := db.Collection("events")
	require.NoError(t, err)
	require.Equal(t, all, events.Len(), "nothing is missing")
	require.Zero(t, events.Stats().Deleted, "a point that is written twice leaves a dead slot")
	at, ok := events.Position(source)
	require.True(t, ok)
	require.EqualValues(t, all, at)
	for n := uint64(1); n <= all; n += 97 {
		p, err := events.Get(context.Background(), n)
		require.NoError(t, err)
		require.Equal(t, newEvent(n).Vector, p.Vector)
	}
}

func TestWhatTheBrokerDeliversAgainIsSkipped(t *testing.T) {
	dir := t.TempDir()
	ctx := context.Background()
	require.NoError(t, run(ctx, dir, 300, io.Discard))
	b, err := startBroker(ctx, filepath.Join(dir, "broker"))
	require.NoError(t, err)
	defer b.stop()
	db, err := tarn.Open(filepath.Join(dir, "store"), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	events, err := db.Collection("events")
	require.NoError(t, err)
	stream, err := events.Stream()
	require.NoError(t, err)
	ticket, err := stream.SendBatch(ctx, []tarn.Point{{ID: 7, Vector: newEvent(8).Vector}}, tarn.From(source, 300))
	require.NoError(t, err)
	require.NoError(t, ticket.Wait(ctx))
	require.EqualValues(t, 1, stream.Stats().Skipped)
	p, err := events.Get(ctx, 7)
	require.NoError(t, err)
	require.Equal(t, newEvent(7).Vector, p.Vector)
}

func TestAnInterruptEndsItWhileNothingComes(t *testing.T) {
	ctx, interrupt := context.WithCancel(context.Background())
	b, err := startBroker(ctx, t.TempDir())
	require.NoError(t, err)
	defer b.stop()
	require.NoError(t, b.publish(ctx, 1))
	db, err := tarn.Open(t.TempDir(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	events, err := db.CreateCollection(ctx, "events", tarn.CollectionConfig{Dim: dim, Streaming: &tarn.StreamingConfig{}})
	require.NoError(t, err)
	ended := make(chan error)
	go func() { ended <- consume(ctx, b.stream, events, 2, io.Discard) }()
	require.Eventually(t, func() bool { return events.Len() == 1 }, time.Minute, time.Millisecond)
	interrupt() // it waits for the second message
	require.ErrorIs(t, <-ended, context.Canceled)
}

// killAfterSome runs the program in a process of its own and kills it when it has
// said that some messages are stored.
func killAfterSome(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), child+"="+dir)
	cmd.Stderr = os.Stderr
	said, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		if strings.HasSuffix(lines.Text(), " stored") {
			break
		}
	}
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
}
