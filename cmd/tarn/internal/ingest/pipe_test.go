package ingest

import (
	"context"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

const aLine = `{"id":7,"vector":[1,2,3]}` + "\n"

// docs returns a collection with a stream.
func docs(t *testing.T, cfg tarn.StreamingConfig) *tarn.Collection {
	t.Helper()
	db, err := tarn.Open(filepath.Join(t.TempDir(), "db"), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	c, err := db.CreateCollection(context.Background(), "docs", tarn.CollectionConfig{Dim: 3, Streaming: &cfg})
	require.NoError(t, err)
	return c
}

// ended is what a Run came to.
type ended struct {
	sum Summary
	err error
}

// fromPipe starts a Run that reads a pipe.
func fromPipe(t *testing.T, c *tarn.Collection) (*io.PipeWriter, <-chan ended) {
	t.Helper()
	r, w := io.Pipe()
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	end, bad := make(chan ended, 1), filepath.Join(t.TempDir(), "bad")
	go func() {
		sum, err := Run(context.Background(), c, Options{File: "-", Stdin: r, Source: "pipe", BadFile: bad})
		end <- ended{sum, err}
	}()
	return w, end
}

func TestALineOfAPipeIsStoredBeforeTheNextComes(t *testing.T) {
	c := docs(t, tarn.StreamingConfig{})
	w, end := fromPipe(t, c)
	for n := range uint64(3) {
		_, err := io.WriteString(w, aLine+`{"id":`) // the next has begun
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			at, _ := c.Position("pipe")
			return at == 2*n+1
		}, time.Minute, time.Millisecond)
		_, err = io.WriteString(w, `8,"delete":true}`+"\n")
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	got := <-end
	require.NoError(t, got.err)
	require.EqualValues(t, 3, got.sum.Stored)
	require.EqualValues(t, 3, got.sum.Deleted)
}

func TestAStreamThatEndsEndsTheReadOfASilentPipe(t *testing.T) {
	c := docs(t, tarn.StreamingConfig{FlushInterval: time.Hour})
	w, end := fromPipe(t, c)
	_, err := io.WriteString(w, aLine)
	require.NoError(t, err)
	stream, err := c.Stream()
	require.NoError(t, err)
	require.Eventually(t, func() bool { return stream.Stats().Accepted == 1 }, time.Minute, time.Millisecond)
	require.Len(t, stream.Abort(), 1)
	select {
	case got := <-end:
		require.ErrorIs(t, got.err, tarn.ErrClosed)
		require.NotErrorIs(t, got.err, context.Canceled)
		require.Zero(t, got.sum.Stored)
	case <-time.After(time.Minute):
		require.Fail(t, "it waits for the pipe")
	}
}
