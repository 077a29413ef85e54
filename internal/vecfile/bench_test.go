package vecfile

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/kernel"
)

const benchDim = 384

func benchStore(b *testing.B, n uint32) *Store {
	b.Helper()
	s := open(b, disk(b), Config{Dim: benchDim, Metric: kernel.Cosine, UUID: testUUID}, 0)
	require.NoError(b, s.Reserve(n))
	for from := uint32(0); from < n; from += 1000 {
		require.NoError(b, s.Write(points(from, min(from+1000, n), 1, benchDim)))
	}
	require.NoError(b, s.Sync())
	return s
}

func BenchmarkWrite(b *testing.B) {
	for _, batch := range []uint32{1, 128, 1000} {
		b.Run(fmt.Sprintf("dim=%d/batch=%d", benchDim, batch), func(b *testing.B) {
			s := benchStore(b, 20_000)
			entries := points(0, batch, 1, benchDim)
			next := uint32(0)
			b.SetBytes(int64(batch) * benchDim * 4)
			b.ReportAllocs()
			for b.Loop() {
				for i := range entries {
					entries[i].Slot = (next + uint32(i)) % 20_000
				}
				next += batch
				if err := s.Write(entries); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(batch)*float64(b.N)/b.Elapsed().Seconds(), "points/s")
		})
	}
}

func BenchmarkReserve(b *testing.B) {
	s := open(b, disk(b), Config{Dim: benchDim, Metric: kernel.Cosine, UUID: testUUID}, 0)
	n := uint32(0)
	for b.Loop() {
		if n += 128; n > 200_000 {
			b.StopTimer()
			s, n = open(b, disk(b), Config{Dim: benchDim, Metric: kernel.Cosine, UUID: testUUID}, 0), 128
			b.StartTimer()
		}
		if err := s.Reserve(n); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	s := benchStore(b, 20_000)
	slots := make([]uint32, 100)
	x := uint32(1)
	for _, first := range []bool{true, false} {
		b.Run(fmt.Sprintf("slots=100/first=%v", first), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for i := range slots {
					x = x*1664525 + 1013904223
					slots[i] = x % 20_000
					if first {
						s.checked.Remove(slots[i])
					}
				}
				if err := s.Check(slots); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, n := range []uint32{10_000, 200_000} {
		b.Run(fmt.Sprintf("dim=%d/n=%d", benchDim, n), func(b *testing.B) {
			dir := disk(b)
			cfg := Config{Dim: benchDim, Metric: kernel.Cosine, UUID: testUUID}
			s := open(b, dir, cfg, 0)
			require.NoError(b, s.Reserve(n))
			require.NoError(b, s.Close())
			for b.Loop() {
				s, err := Open(dir, cfg, n)
				if err != nil {
					b.Fatal(err)
				}
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkScans(b *testing.B) {
	s := benchStore(b, 20_000)
	live := all(20_000)
	b.Run("Find", func(b *testing.B) {
		for b.Loop() {
			if _, ok, err := s.Find(live, 1); ok || err != nil {
				b.Fatal(ok, err)
			}
		}
		b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/20_000, "ns/slot")
	})
	b.Run("Digest", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Digest(live); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/20_000, "ns/slot")
	})
	b.Run("Verify", func(b *testing.B) {
		read := int64(0)
		for b.Loop() {
			n, err := s.Verify(context.Background(), live, func(f Finding) { b.Fatal(f) })
			if err != nil {
				b.Fatal(err)
			}
			read += n
		}
		b.SetBytes(read / int64(b.N))
	})
}

func BenchmarkWarm(b *testing.B) {
	s := benchStore(b, 20_000)
	s.warmMin = 0
	for b.Loop() {
		s.mu.Lock()
		for _, c := range s.chunks {
			c.private = nil
		}
		require.NoError(b, s.arena.close())
		s.mu.Unlock()
		if err := s.Warm(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(s.usedCodes())
}
