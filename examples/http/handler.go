package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/tarndb/tarn"
)

const (
	maxBody     = 4 << 20
	soon, later = "1", "10" // Retry-After, in seconds: the queue drains; somebody has to look
)

// handler serves one collection.
func handler(points *tarn.Collection) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /points/{id}", func(w http.ResponseWriter, r *http.Request) { put(points, w, r) })
	return mux
}

// put queues one point.
func put(points *tarn.Collection, w http.ResponseWriter, r *http.Request) {
	p, err := readPoint(w, r)
	if err != nil {
		refuse(w, err)
		return
	}
	stream, err := points.Stream() // each time: EnableStreaming may have begun another
	if err != nil {
		refuse(w, err)
		return
	}
	ticket, err := stream.TrySend(p)
	if err != nil {
		refuse(w, err)
		return
	}
	if r.URL.Query().Get("wait") == "" {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if err := ticket.Wait(r.Context()); err != nil {
		refuse(w, err)
	}
}

// errRequest is a request that makes no point.
var errRequest = errors.New("bad request")

func readPoint(w http.ResponseWriter, r *http.Request) (p tarn.Point, err error) {
	if p.ID, err = strconv.ParseUint(r.PathValue("id"), 10, 64); err != nil {
		return p, fmt.Errorf("%w: the id in the path must be a number from 0 to 2^64-1, not %q", errRequest, r.PathValue("id"))
	}
	var body struct {
		Vector  []float32    `json:"vector"`
		Payload tarn.Payload `json:"payload"`
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.UseNumber()
	if err := d.Decode(&body); err != nil {
		if errors.As(err, new(*http.MaxBytesError)) {
			return p, fmt.Errorf("%w: %w", tarn.ErrTooLarge, err)
		}
		return p, fmt.Errorf("%w: %w", errRequest, err)
	}
	p.Vector, p.Payload = body.Vector, body.Payload
	return p, nil
}

// refuse answers with the status that tells the client what to do.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusServiceUnavailable
	var invalid *tarn.InvalidPointError
	switch {
	case errors.Is(err, tarn.ErrTooLarge):
		status = http.StatusRequestEntityTooLarge
	case errors.As(err, &invalid), errors.Is(err, errRequest):
		status = http.StatusBadRequest
	case errors.Is(err, tarn.ErrBufferFull):
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", soon)
	default: // ErrStreamDead, ErrClosed, ErrNotConfigured: no fault of the client's
		w.Header().Set("Retry-After", later)
	}
	http.Error(w, err.Error(), status)
}
