package attr

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/filter"
)

// uniques are indexes in which no two slots have the same value.
var uniques = map[string]func(slot uint32) filter.Value{
	"numbers,rising": func(slot uint32) filter.Value { return filter.Value{Kind: filter.Num, Num: filter.Int(int64(slot))} },
	"numbers,random": func(slot uint32) filter.Value {
		return filter.Value{Kind: filter.Num, Num: filter.Int(int64(mix(slot)))}
	},
	"texts,16bytes": func(slot uint32) filter.Value {
		return filter.Value{Kind: filter.String, Str: fmt.Sprintf("%016x", uint64(mix(slot)))}
	},
}

// mix is a bijection.
func mix(slot uint32) uint32 { return (slot ^ slot>>15) * 2654435769 }

// BenchmarkUnique measures an index of values of which each is another: bytes of memory
// a slot, and how long it takes until a twentieth of the slots have left: all together,
// and the pieces for each of which the caller holds its lock.
func BenchmarkUnique(b *testing.B) {
	const n, piece = 200_000, 4096 // as the collection does
	for name, value := range uniques {
		b.Run(fmt.Sprintf("%s/n=%d", name, n), func(b *testing.B) {
			before := heap()
			x := New()
			for slot := range uint32(n) {
				x.Add(slot, &filter.Fact{There: true, Value: value(slot)})
			}
			perSlot := float64(heap()-before) / n
			gone := make(bitmap.Words, n/64+1)
			for slot := uint32(0); slot < n; slot += 20 {
				gone.Add(slot)
			}
			var holds []time.Duration
			for b.Loop() {
				for r, more := NewRemoval(gone), true; more; {
					start := time.Now()
					more = x.Remove(r, piece)
					holds = append(holds, time.Since(start))
				}
				for slot := range gone.All() {
					x.Add(slot, &filter.Fact{There: true, Value: value(slot)})
				}
			}
			b.ReportMetric(perSlot, "B/slot")
			all := time.Duration(0)
			for _, took := range holds {
				all += took
			}
			slices.Sort(holds)
			b.ReportMetric(float64(all.Microseconds())/float64(b.N), "remove-µs")
			b.ReportMetric(float64(holds[len(holds)/2].Microseconds()), "hold-µs")
			b.ReportMetric(float64(holds[len(holds)*99/100].Microseconds()), "hold99-µs")
			runtime.KeepAlive(x)
		})
	}
}

func heap() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
