package bitmap

import (
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestSetEqualsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Set
		model := map[uint32]bool{}
		slot := rapid.Uint32Range(0, 3*PieceSlots)
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			x := slot.Draw(t, "slot")
			if rapid.Bool().Draw(t, "add") {
				require.Equal(t, !model[x], s.Add(x))
				model[x] = true
			} else {
				require.Equal(t, model[x], s.Remove(x))
				delete(model, x)
			}
		}
		var want []uint32
		for x := range model {
			want = append(want, x)
		}
		slices.Sort(want)
		require.Equal(t, len(want), s.Len())
		require.Equal(t, want, slices.Collect(s.All()))
		require.Equal(t, want, slices.Collect(s.Clone().All()))
		from := slot.Draw(t, "from")
		i, _ := slices.BinarySearch(want, from)
		next, ok := s.Next(from)
		require.Equal(t, i < len(want), ok)
		if ok {
			require.Equal(t, want[i], next)
		}
	})
}

func TestANilSetIsEmpty(t *testing.T) {
	var s *Set
	require.False(t, s.Has(0))
	require.Zero(t, s.Len())
	require.Zero(t, s.Pieces())
	require.Empty(t, slices.Collect(s.All()))
}

func TestTheHighestSlotIsLegal(t *testing.T) {
	var s Set
	require.True(t, s.Add(1<<32-1))
	require.True(t, s.Has(1<<32-1))
	next, ok := s.Next(0)
	require.True(t, ok)
	require.Equal(t, uint32(1<<32-1), next)
}

func TestWritersOnOneWordLoseNothing(t *testing.T) {
	var s Set
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 1000 {
				s.Add(uint32(i*8 + w))
			}
		})
	}
	wg.Wait()
	require.Equal(t, 8000, s.Len())
}

func TestSetWordKeepsTheCount(t *testing.T) {
	var s Set
	s.SetWord(3, 0b1011)
	require.Equal(t, 3, s.Len())
	require.True(t, s.Has(3*64+1))
	s.SetWord(3, 0b1000)
	require.Equal(t, 1, s.Len())
	require.Equal(t, uint64(0b1000), s.Word(3))
}
