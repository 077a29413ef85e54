package delta

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/kernel"
)

// full is a buffer at the hard limit: 65 536 clustered vectors.
func full(m kernel.Metric, dim int) (*Buffer, *memory, *bitmap.Set) {
	const n = 65536
	r := rand.New(rand.NewPCG(1, 2))
	src, b, live := newMemory(m, dim, n), New(), &bitmap.Set{}
	for slot := range uint32(n) {
		src.set(slot, clustered(r, dim, 200, 0.7))
		live.Add(slot)
		b.Add(slot)
	}
	return b, src, live
}

func BenchmarkScan(b *testing.B) {
	for _, dim := range []int{128, 384} {
		buf, src, live := full(kernel.Cosine, dim)
		for _, k := range []int{10, 100} {
			b.Run(fmt.Sprintf("scan/dim=%d/n=65536/k=%d", dim, k), func(b *testing.B) {
				r := rand.New(rand.NewPCG(3, 4))
				queries := make([]kernel.Query, 16)
				for i := range queries {
					queries[i].Set(src.metric, clustered(r, dim, 200, 0.7))
				}
				var top Top
				var out []kernel.Candidate
				src.checked.Store(0)
				i := 0
				for b.Loop() {
					top.Reset(k)
					if err := buf.Scan(context.Background(), src, &queries[i%len(queries)], live, nil, &top); err != nil {
						b.Fatal(err)
					}
					out = top.Results(out[:0])
					i++
				}
				b.ReportMetric(float64(src.checked.Load())/float64(i), "rescored/op")
			})
		}
	}
}

func BenchmarkScanSet(b *testing.B) {
	for _, n := range []uint32{2000, 65536} {
		_, src, live := full(kernel.Cosine, 384)
		set := make(bitmap.Words, (n+63)/64)
		for slot := range n {
			set.Add(slot)
		}
		b.Run(fmt.Sprintf("scanset/dim=384/n=%d/k=10", n), func(b *testing.B) {
			var q kernel.Query
			q.Set(src.metric, clustered(rand.New(rand.NewPCG(3, 4)), 384, 200, 0.7))
			var top Top
			for b.Loop() {
				top.Reset(10)
				if err := ScanSet(context.Background(), src, &q, live, set, &top); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkEntry measures a slot's way through the buffer: in, claimed, out.
func BenchmarkEntry(b *testing.B) {
	buf := New()
	for slot := range uint32(30_000) {
		buf.Add(slot)
	}
	next := uint32(30_000)
	claimed := make([]uint32, 0, 64)
	for b.Loop() {
		buf.Add(next)
		next++
		if next%64 == 0 {
			for _, slot := range buf.Claim(64, claimed[:0]) {
				buf.Remove(slot)
			}
		}
	}
}
