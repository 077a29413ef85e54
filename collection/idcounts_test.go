package collection

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestIDCountsAreThoseOfAMap fills and empties the counts again and again, with ids that
// come twice, that follow each other, and that share places.
func TestIDCountsAreThoseOfAMap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, most := range []int{1, 40, 3000, 100_000} { // the last outgrows what an empty table keeps
		var x idCounts
		x.init()
		want := map[uint64]int{}
		var waiting []uint64
		for range 3 {
			for len(waiting) < most {
				id := []uint64{uint64(len(waiting)), r.Uint64(), r.Uint64N(uint64(most)), r.Uint64N(64) << 58}[r.IntN(4)]
				x.add(id)
				want[id]++
				waiting = append(waiting, id)
				if r.IntN(3) == 0 {
					i := r.IntN(len(waiting))
					drop(t, &x, want, waiting[i])
					waiting[i] = waiting[len(waiting)-1]
					waiting = waiting[:len(waiting)-1]
				}
				if r.IntN(most) < 10 {
					sameIDs(t, &x, want, r)
				}
			}
			r.Shuffle(len(waiting), func(i, j int) { waiting[i], waiting[j] = waiting[j], waiting[i] })
			for i, id := range waiting {
				drop(t, &x, want, id)
				if i%(1+most/10) == 0 {
					sameIDs(t, &x, want, r)
				}
			}
			waiting = waiting[:0]
			require.Empty(t, want)
			require.Zero(t, x.total.Load())
			for i := range x.shards {
				require.Zero(t, x.shards[i].table.used)
				require.LessOrEqual(t, len(x.shards[i].table.places), keptTable)
			}
		}
	}
}

func drop(t *testing.T, x *idCounts, want map[uint64]int, id uint64) {
	x.drop(id)
	if want[id]--; want[id] == 0 {
		delete(want, id)
	}
	if x.has(id) != (want[id] > 0) {
		require.Failf(t, "an id that was dropped", "%d waits: %v", id, x.has(id))
	}
}

// sameIDs compares all that waits, and some ids of which most do not.
func sameIDs(t *testing.T, x *idCounts, want map[uint64]int, r *rand.Rand) {
	n, used := 0, 0
	for id, count := range want {
		s, hash := x.shard(id)
		if p := s.table.places[s.table.find(id, hash)]; p != (idPlace{id, hash, int32(count)}) {
			require.Failf(t, "the count of an id", "%d times %d, found %v", count, id, p)
		}
		n += count
	}
	for i := range x.shards {
		used += x.shards[i].table.used
		require.LessOrEqual(t, 4*x.shards[i].table.used, 3*len(x.shards[i].table.places))
	}
	require.Equal(t, len(want), used)
	require.EqualValues(t, n, x.total.Load())
	for range 20 {
		id := r.Uint64N(1000)
		require.Equal(t, want[id] > 0, x.has(id))
	}
}

// BenchmarkIDCounts measures a send's part and its end's, with as many ids waiting as
// a full queue holds.
func BenchmarkIDCounts(b *testing.B) {
	var x idCounts
	x.init()
	const waiting = 10_000
	for id := range uint64(waiting) {
		x.add(id)
	}
	id := uint64(waiting)
	b.ReportAllocs()
	for b.Loop() {
		x.add(id)
		x.drop(id - waiting)
		id++
	}
}
