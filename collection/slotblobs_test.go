package collection

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBlobsBySlotAreThoseThatWerePutLast(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		var b slotBlobs
		want := map[uint32][]byte{}
		next, gaps := r.Uint32N(3), seed%3 == 0
		if seed%5 == 0 {
			next = math.MaxUint32 - 9_000 // the last slots there are
		}
		for n := range r.IntN(4 * blobBlock) {
			slot := next
			switch {
			case len(want) > 0 && r.IntN(8) == 0:
				slot = next - min(next, 1+r.Uint32N(1+uint32(2*len(want)))) // an older slot, or one before the first
			case gaps:
				next += 1 + r.Uint32N(2)
			default:
				next++
			}
			if r.IntN(16) == 0 {
				b.drop(slot)
				delete(want, slot)
				continue
			}
			data := []byte(strconv.Itoa(n))
			b.put(slot, data)
			want[slot] = data
		}
		var slots []uint32
		for slot, data := range b.all() {
			slots = append(slots, slot)
			require.Equal(t, want[slot], data)
		}
		require.Equal(t, slices.Sorted(maps.Keys(want)), slots, "seed %d: each once, ascending", seed)
		for range 5_000 {
			slot := next - min(next, r.Uint32N(uint32(6*blobBlock))) + r.Uint32N(5)
			data, ok := b.get(slot)
			have, is := want[slot]
			require.Equal(t, is, ok, "seed %d, slot %d", seed, slot)
			require.Equal(t, have, data)
		}
	}
}

func TestGoingThroughBlobsMayEndAnywhere(t *testing.T) {
	var b slotBlobs
	require.True(t, b.empty())
	for _, slot := range []uint32{5, 7, 9, 1, 7, 8} {
		b.put(slot, []byte{byte(slot)})
	}
	require.False(t, b.empty())
	for n := range 6 {
		var got []uint32
		for slot := range b.all() {
			if got = append(got, slot); len(got) > n {
				break
			}
		}
		require.Equal(t, []uint32{1, 5, 7, 8, 9}[:min(n+1, 5)], got)
	}
}

// Slots that have a payload may be few, with most of the numbers there are between them.
func TestBlobsOfSlotsFarApartAreFound(t *testing.T) {
	slots := []uint32{3, 1<<16 + 1, 1<<31 - 1, 1 << 31, 1<<31 + 4, math.MaxUint32 - 1}
	for first := range slots {
		var b slotBlobs
		for _, slot := range slots[first:] {
			b.put(slot, []byte{byte(slot)})
		}
		for i, slot := range slots {
			for _, near := range []uint32{slot - 1, slot, slot + 1} {
				data, ok := b.get(near)
				require.Equal(t, slices.Contains(slots[first:], near), ok, "slot %d of those from %d on", near, slots[first])
				if ok && near == slot {
					require.Equal(t, []byte{byte(slots[i])}, data)
				}
			}
		}
	}
}

func TestBlobsOfFarMoreThanABlockAreFoundBetweenGaps(t *testing.T) {
	var b slotBlobs
	const most = 70 * blobBlock // more than 16 bits count
	for i := range uint32(most) {
		b.put(7+3*i, []byte{byte(i)})
	}
	for i := range uint32(most) {
		data, ok := b.get(7 + 3*i)
		require.True(t, ok)
		require.Equal(t, byte(i), data[0])
		_, ok = b.get(8 + 3*i)
		require.False(t, ok)
	}
}

func TestBlobsOfSlotsThatAscendAreInTheList(t *testing.T) {
	var b slotBlobs
	for slot := range uint32(3 * blobBlock) {
		b.put(slot, []byte("{}"))
	}
	require.Empty(t, b.rest, "a map costs ten times as much")
	require.Len(t, b.list, 3)
}

func BenchmarkSlotBlobs(b *testing.B) {
	data := []byte("{}")
	var kept slotBlobs
	for slot := range uint32(50_000) {
		kept.put(slot, data)
	}
	b.Run("put", func(b *testing.B) {
		var blobs slotBlobs
		for n := uint32(0); b.Loop(); n++ {
			if n%50_000 == 0 {
				blobs = slotBlobs{}
			}
			blobs.put(n%50_000, data)
		}
	})
	b.Run("get", func(b *testing.B) {
		for n := uint32(0); b.Loop(); n++ {
			kept.get(n * 7919 % 50_000)
		}
	})
}
