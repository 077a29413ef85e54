package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tarndb/tarn"
)

const (
	dim     = 32
	batch   = 128
	subject = "events.new"
)

// broker is a NATS server in this process, and a connection to it.
type broker struct {
	server *server.Server
	conn   *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream
}

func startBroker(ctx context.Context, dir string) (_ *broker, err error) {
	s, err := server.NewServer(&server.Options{JetStream: true, StoreDir: dir, DontListen: true, NoSigs: true, NoLog: true})
	if err != nil {
		return nil, err
	}
	b := &broker{server: s}
	defer func() {
		if err != nil {
			b.stop()
		}
	}()
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		return nil, errors.New("the broker does not start")
	}
	if b.conn, err = nats.Connect("", nats.InProcessServer(s)); err != nil {
		return nil, err
	}
	if b.js, err = jetstream.New(b.conn); err != nil {
		return nil, err
	}
	b.stream, err = b.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "EVENTS", Subjects: []string{subject}})
	return b, err
}

func (b *broker) stop() {
	if b.conn != nil {
		b.conn.Close()
	}
	b.server.Shutdown()
	b.server.WaitForShutdown()
}

// event is a message: JSON.
type event struct {
	ID     uint64    `json:"id"`
	Text   string    `json:"text"`
	Vector []float32 `json:"vector"`
}

// newEvent returns the n-th event there is.
func newEvent(n uint64) event {
	r := rand.New(rand.NewPCG(n, 1))
	e := event{ID: n, Text: fmt.Sprint("event number ", n), Vector: make([]float32, dim)}
	for i := range e.Vector {
		e.Vector[i] = float32(r.NormFloat64())
	}
	return e
}

// publish publishes the messages that the stream does not have yet, up to number last.
func (b *broker) publish(ctx context.Context, last uint64) error {
	info, err := b.stream.Info(ctx)
	if err != nil {
		return err
	}
	for n := info.State.LastSeq + 1; n <= last; n++ {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		data, err := json.Marshal(newEvent(n))
		if err != nil {
			return err
		}
		if _, err := b.js.PublishAsync(subject, data); err != nil {
			return err
		}
	}
	select {
	case <-b.js.PublishAsyncComplete():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fetch returns some messages as points, and the number of the last of them.
func fetch(messages jetstream.Consumer) (points []tarn.Point, last uint64, err error) {
	got, err := messages.Fetch(batch, jetstream.FetchMaxWait(time.Second))
	if err != nil {
		return nil, 0, err
	}
	for m := range got.Messages() {
		meta, err := m.Metadata()
		if err != nil {
			return nil, 0, err
		}
		var e event
		if err := json.Unmarshal(m.Data(), &e); err != nil {
			return nil, 0, fmt.Errorf("message %d: %w", meta.Sequence.Stream, err)
		}
		points = append(points, tarn.Point{ID: e.ID, Vector: e.Vector, Payload: tarn.Payload{"text": e.Text}})
		last = meta.Sequence.Stream
	}
	return points, last, got.Error()
}
