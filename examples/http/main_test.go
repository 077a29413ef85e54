package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tarndb/tarn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

// serve opens a store with a stream and returns a function that puts a point.
func serve(t *testing.T, cfg tarn.StreamingConfig) (*tarn.Collection, func(path, body string) *http.Response) {
	t.Helper()
	db, err := tarn.Open(filepath.Join(t.TempDir(), "db"), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	c, err := db.CreateCollection(ctx, "points", tarn.CollectionConfig{Dim: 3, Streaming: &cfg})
	require.NoError(t, err)
	h := handler(c)
	return c, func(path, body string) *http.Response {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPut, path, strings.NewReader(body)))
		return w.Result()
	}
}

const body = `{"vector":[1,2,3],"payload":{"n":1}}`

func TestAcceptedIsQueuedAndWaitIsDurable(t *testing.T) {
	c, put := serve(t, tarn.StreamingConfig{FlushInterval: time.Hour})
	require.Equal(t, http.StatusAccepted, put("/points/1", body).StatusCode)
	require.Zero(t, c.Len(), "queued, and no more is said")
	stream, err := c.Stream()
	require.NoError(t, err)
	require.NoError(t, stream.Flush(ctx))
	p, err := c.Get(ctx, 1)
	require.NoError(t, err)
	require.Equal(t, tarn.Point{ID: 1, Vector: []float32{1, 2, 3}, Payload: tarn.Payload{"n": int64(1)}}, p)

	_, err = c.EnableStreaming(ctx, tarn.StreamingConfig{FlushInterval: time.Millisecond})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, put("/points/2?wait=1", body).StatusCode, "the new stream takes it")
	_, err = c.Get(ctx, 2)
	require.NoError(t, err)
}

func TestAFullQueueIsTooManyRequests(t *testing.T) {
	c, put := serve(t, tarn.StreamingConfig{BufferSize: 2, BatchSize: 3, FlushInterval: time.Hour})
	for id := range 2 {
		require.Equal(t, http.StatusAccepted, put(fmt.Sprint("/points/", id), body).StatusCode)
	}
	refused := put("/points/9", body)
	require.Equal(t, http.StatusTooManyRequests, refused.StatusCode)
	require.Equal(t, soon, refused.Header.Get("Retry-After"))
	stream, err := c.Stream()
	require.NoError(t, err)
	require.NoError(t, stream.Flush(ctx))
	require.Equal(t, http.StatusAccepted, put("/points/9", body).StatusCode, "later there is room")
}

func TestAStreamThatTakesNoMoreIsUnavailable(t *testing.T) {
	c, put := serve(t, tarn.StreamingConfig{})
	stream, err := c.Stream()
	require.NoError(t, err)
	stream.Abort()
	refused := put("/points/1", body)
	require.Equal(t, http.StatusServiceUnavailable, refused.StatusCode)
	require.Equal(t, later, refused.Header.Get("Retry-After"))
	require.NoError(t, c.DisableStreaming(ctx))
	require.Equal(t, http.StatusServiceUnavailable, put("/points/1", body).StatusCode)
	w := httptest.NewRecorder()
	refuse(w, fmt.Errorf("collection: %w", tarn.ErrStreamDead))
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
}

func TestAPointThatIsNoneIsABadRequest(t *testing.T) {
	c, put := serve(t, tarn.StreamingConfig{})
	for name, r := range map[string][3]string{
		"an id that is no number": {"/points/x", body, "a number from 0 to 2^64-1"},
		"no JSON":                 {"/points/1", "vector", "invalid character"},
		"another dimension":       {"/points/1", `{"vector":[1,2]}`, "has 2 dimensions"},
		"a number out of range":   {"/points/1", `{"vector":[1,2,1e99]}`, "float32"},
	} {
		refused := put(r[0], r[1])
		require.Equal(t, http.StatusBadRequest, refused.StatusCode, name)
		why, err := io.ReadAll(refused.Body)
		require.NoError(t, err)
		require.Contains(t, string(why), r[2], name)
	}
	large := `{"vector":[1,2,3],"payload":{"text":"` + strings.Repeat("x", 2<<20) + `"}}`
	require.Equal(t, http.StatusRequestEntityTooLarge, put("/points/1", large).StatusCode)
	require.Equal(t, http.StatusRequestEntityTooLarge, put("/points/1", large+large+large).StatusCode)
	stream, err := c.Stream()
	require.NoError(t, err)
	require.NoError(t, stream.Flush(ctx))
	require.Zero(t, c.Len())
}

func TestItServesUntilItIsToldToEndAndKeepsWhatItAccepted(t *testing.T) {
	end, cancel := context.WithCancel(ctx)
	defer cancel()
	dir := filepath.Join(t.TempDir(), "db")
	at, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- run(end, dir, 3, at) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for id := range 10 {
		r, err := http.NewRequest(http.MethodPut, fmt.Sprintf("http://%v/points/%d", at.Addr(), id), strings.NewReader(body))
		require.NoError(t, err)
		answer, err := client.Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, http.StatusAccepted, answer.StatusCode)
	}
	cancel()
	require.NoError(t, <-ended)
	db, err := tarn.Open(dir, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	c, err := db.Collection("points")
	require.NoError(t, err)
	require.Equal(t, 10, c.Len())
}
