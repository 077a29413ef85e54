package delta

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// entries returns what a scan of the buffer would look at now.
func entries(b *Buffer) (slots []uint32) {
	for _, c := range b.view.Load().chunks {
		for i := range c.n.Load() {
			if s := c.slots[i].Load(); s != none {
				slots = append(slots, s)
			}
		}
	}
	return slots
}

func TestABufferEqualsAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := New()
		var list []uint32            // in order of arrival
		claimed := map[uint32]bool{} // of those in the list
		span := rapid.Uint32Range(1, 8000).Draw(t, "span")
		next := uint32(0)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "op") {
			case 0, 1:
				for range rapid.IntRange(1, 2500).Draw(t, "adds") {
					next = (next + 7) % span
					if b.Add(next); !slices.Contains(list, next) {
						list = append(list, next)
					}
				}
			case 2: // some leave, from the front or from all over
				from := rapid.IntRange(0, len(list)).Draw(t, "from")
				step := rapid.IntRange(1, 3).Draw(t, "step")
				n := rapid.IntRange(0, 2500).Draw(t, "removes")
				for i := from; i < len(list) && n > 0; i += step - 1 {
					require.True(t, b.Remove(list[i]))
					delete(claimed, list[i])
					list = slices.Delete(list, i, i+1)
					n--
				}
				require.False(t, b.Remove(span+1))
			case 3:
				claim := b.Claim
				if rapid.Bool().Draw(t, "any") {
					claim = b.ClaimAny
				}
				for _, slot := range claim(rapid.IntRange(0, 700).Draw(t, "claims"), nil) {
					require.False(t, claimed[slot], "claimed twice")
					require.True(t, b.Has(slot))
					claimed[slot] = true
				}
			case 4:
				for slot := range claimed {
					b.Release(slot)
					delete(claimed, slot)
					if slot%3 == 0 {
						break
					}
				}
			}
			require.True(t, slices.Equal(list, entries(b)))
			require.Equal(t, len(list), b.Len())
		}
		rest := b.Claim(len(list)+1, nil)
		require.Equal(t, len(list), len(rest)+len(claimed), "what nobody has can be claimed")
	})
}

func TestI4_TheOldestAreClaimedFirst(t *testing.T) {
	b := New()
	for slot := range uint32(3000) {
		b.Add(slot ^ 1)
	}
	var got []uint32
	for len(got) < 3000 {
		got = b.Claim(7, got)
	}
	for i, slot := range got {
		require.Equal(t, uint32(i)^1, slot)
	}
	require.Empty(t, b.Claim(1, nil))
	b.Release(5)
	b.Release(5)
	b.Release(9999)
	b.Add(7000)
	require.Equal(t, []uint32{5, 7000}, b.Claim(5, nil), "released ones before new ones")
}

func TestAnyAreClaimedFromAllOverTheBuffer(t *testing.T) {
	const n = 20 * chunkSlots
	b := New()
	for slot := range uint32(n) {
		b.Add(slot)
	}
	chunks := map[uint32]int{}
	var all []uint32
	for range 200 {
		got := b.ClaimAny(8, nil)
		require.Len(t, got, 8)
		for _, slot := range got {
			chunks[slot/chunkSlots]++
		}
		all = append(all, got...)
	}
	require.Greater(t, len(chunks), 15, "of 20")
	for len(all) < n {
		all = append(all, b.ClaimAny(8, nil)...)
	}
	require.Empty(t, b.ClaimAny(8, nil))
	slices.Sort(all)
	require.Len(t, slices.Compact(all), n, "each once, and nothing is left")
	b.Release(77)
	require.Equal(t, []uint32{77}, b.ClaimAny(8, nil), "what was released comes first")
}

func TestASlotThatLeavesAndComesBackIsClaimedOnce(t *testing.T) {
	b := New()
	b.Add(1)
	require.Equal(t, []uint32{1}, b.Claim(9, nil))
	b.Release(1)
	require.True(t, b.Remove(1))
	b.Add(1)
	require.Equal(t, []uint32{1}, b.Claim(9, nil))
	require.Empty(t, b.Claim(9, nil))
	b.Release(1)
	b.Remove(1)
	b.Release(1)
	require.Empty(t, b.Claim(9, nil), "what is not here is not released")
}

func TestWhatComesAfterAChunkWentIsClaimed(t *testing.T) {
	b := New()
	for slot := range uint32(chunkSlots) {
		b.Add(slot)
	}
	for _, slot := range b.Claim(chunkSlots, nil) {
		b.Remove(slot)
	}
	require.Empty(t, b.view.Load().chunks)
	b.Add(5000)
	require.Equal(t, []uint32{5000}, b.Claim(9, nil))
}

func TestWhatComesAfterACompactionIsClaimed(t *testing.T) {
	b := New()
	for slot := range uint32(20 * chunkSlots) {
		b.Add(slot)
	}
	for slot := range uint32(20 * chunkSlots) {
		if slot%100 != 0 {
			b.Remove(slot)
		}
	}
	require.Less(t, len(b.view.Load().chunks), 6)
	n := len(entries(b))
	b.Add(1 << 20)
	claimed := b.Claim(2*n, nil)
	require.Len(t, claimed, n+1)
	require.Equal(t, uint32(1<<20), claimed[n])
}

func TestASlotWithoutARowIsABrokenInvariant(t *testing.T) {
	require.Panics(t, func() { New().Add(none) })
}

func TestMemoryFollowsWhatIsHere(t *testing.T) {
	b := New()
	next := uint32(0)
	for range 200 { // a window of 10 000 slots moves on
		for range 1000 {
			b.Add(next)
			next++
		}
		for ; b.Len() > 10_000; b.Remove(b.Claim(1, nil)[0]) {
		}
		require.LessOrEqual(t, len(b.view.Load().chunks), 12)
	}
	live := 0
	for _, p := range b.places.pages {
		if p != nil {
			live++
		}
	}
	require.LessOrEqual(t, live, 4)
	require.LessOrEqual(t, len(b.chunks), 13)

	for slot := next - 10_000; slot < next; slot++ { // one in ten stays
		if slot%10 != 0 {
			b.Remove(slot)
		}
	}
	require.LessOrEqual(t, len(b.view.Load().chunks), 5)
	require.Len(t, entries(b), 1000)
	require.Len(t, b.Claim(2000, nil), 1000)
}

func TestI1_AReaderSeesWhatNobodyRemoved(t *testing.T) {
	const kept, moving = 500, 4000
	b := New()
	for slot := range uint32(kept) {
		b.Add(slot * 10)
	}
	stop := make(chan struct{})
	var writers, readers sync.WaitGroup
	var added atomic.Uint32
	for w := range uint32(2) {
		writers.Go(func() {
			for round := range uint32(30) {
				for i := range uint32(moving) {
					slot := 1_000_000 + w*moving + i
					b.Add(slot)
					if w == 0 {
						added.Store(round*moving + i + 1)
					}
				}
				for i := range uint32(moving) {
					assert.True(t, b.Remove(1_000_000+w*moving+i))
				}
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				seen := map[uint32]int{}
				for _, slot := range entries(b) {
					seen[slot]++
				}
				for slot := range uint32(kept) {
					assert.Equal(t, 1, seen[slot*10])
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	require.Len(t, entries(b), kept)
}

func TestClaimersShareTheWork(t *testing.T) {
	b := New()
	const n = 20_000
	var got [4][]uint32
	var wg sync.WaitGroup
	wg.Go(func() {
		for slot := range uint32(n) {
			b.Add(slot)
		}
	})
	var removed atomic.Int64
	for w := range got {
		wg.Go(func() {
			for removed.Load() < n {
				claimed := b.Claim(16, nil)
				for i, slot := range claimed {
					if (int(slot)+i)%5 == 0 && removed.Load() < n/2 {
						b.Release(slot)
						continue
					}
					assert.True(t, b.Remove(slot))
					removed.Add(1)
					got[w] = append(got[w], slot)
				}
			}
		})
	}
	wg.Wait()
	all := slices.Concat(got[:]...)
	slices.Sort(all)
	require.Len(t, all, n)
	require.Len(t, slices.Compact(all), n)
	require.Zero(t, b.Len())
}
