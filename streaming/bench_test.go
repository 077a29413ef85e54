package streaming

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// point is about as large as what a collection streams.
type point struct {
	id      uint64
	vector  []float32
	payload []byte
}

// BenchmarkTrySend measures a producer's own cost: the flush takes no time, and
// a queue that is full is waited for.
func BenchmarkTrySend(b *testing.B) {
	for _, producers := range []int{1, 4, 16} {
		b.Run(fmt.Sprintf("trysend/producers=%d", producers), func(b *testing.B) {
			in, err := New(Options[point]{
				Config: Config{BufferSize: 100_000},
				Flush:  func(context.Context, []point) error { return nil },
				Size:   func(p point) int { return 4*len(p.vector) + len(p.payload) },
			})
			if err != nil {
				b.Fatal(err)
			}
			defer in.Abort()
			vector := make([]float32, 16)
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for p := range producers {
				wg.Go(func() {
					for i := p; i < b.N; {
						if _, err := in.TrySend(point{id: uint64(i), vector: vector}); err != nil {
							runtime.Gosched()
							continue
						}
						i += producers
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(in.Stats().Rejected)/float64(b.N), "refused/op")
		})
	}
}

// BenchmarkTicket measures sending and waiting for durability, the flush taking
// no time: what the stream itself adds.
func BenchmarkTicket(b *testing.B) {
	for _, producers := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("ticket/producers=%d", producers), func(b *testing.B) {
			in, err := New(Options[point]{
				Config: Config{BatchSize: min(128, producers)},
				Flush:  func(context.Context, []point) error { return nil },
			})
			if err != nil {
				b.Fatal(err)
			}
			defer in.Abort()
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			var sent atomic.Int64
			for range producers {
				wg.Go(func() {
					for i := sent.Add(1); i <= int64(b.N); i = sent.Add(1) {
						ticket, err := in.Send(context.Background(), point{id: uint64(i)})
						if err == nil {
							err = ticket.Wait(context.Background())
						}
						if err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
