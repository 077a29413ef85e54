package meta

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/bitmap"
)

func BenchmarkPayloads(b *testing.B) {
	for _, n := range []uint32{1_000, 100_000} {
		b.Run(fmt.Sprintf("k=10/n=%d", n), func(b *testing.B) {
			s := newStore(b, disk(b))
			put := map[uint32][]byte{}
			u := Update{Payloads: bySlot(put)}
			for slot := range n {
				put[slot] = make([]byte, 200)
			}
			require.NoError(b, s.Commit(u))
			slots := make([]uint32, 10)
			into := make([][]byte, 10)
			x := uint32(1)
			b.ReportAllocs()
			for b.Loop() {
				for i := range slots {
					x = x*1664525 + 1013904223
					slots[i] = x % n
				}
				if err := s.Payloads(slots, into); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCommit(b *testing.B) {
	for _, n := range []uint32{0, 1_000, 20_000} {
		b.Run(fmt.Sprintf("payloads=%d/slots=1000000", n), func(b *testing.B) {
			s := newStore(b, disk(b))
			alive := &bitmap.Set{}
			for slot := range uint32(1_000_000) {
				alive.Add(slot)
			}
			next := uint32(0)
			for b.Loop() {
				put := map[uint32][]byte{}
				u := Update{Payloads: bySlot(put)}
				for range n {
					put[next%1_000_000] = make([]byte, 200)
					next++
				}
				u.Checkpoint = &Checkpoint{LSN: uint64(next), Slots: 1_000_000, Live: alive}
				if err := s.Commit(u); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, n := range []uint32{0, 10_000, 200_000} {
		b.Run(fmt.Sprintf("payloads=%d", n), func(b *testing.B) {
			dir := disk(b)
			s, err := Create(dir, name, nil, testUUID)
			require.NoError(b, err)
			put := map[uint32][]byte{}
			u := Update{Checkpoint: &Checkpoint{Slots: n, Live: &bitmap.Set{}}, Payloads: bySlot(put)}
			for slot := range n {
				put[slot] = make([]byte, 200)
				u.Checkpoint.Live.Add(slot)
			}
			require.NoError(b, s.Commit(u))
			require.NoError(b, s.Close())
			for b.Loop() {
				s, err := Open(dir, name, false)
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
