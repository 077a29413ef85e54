package bitmap

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestWordsEqualAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slots := rapid.SliceOfN(rapid.Uint32Range(0, 300), 0, 80)
		a, b := slots.Draw(t, "a"), slots.Draw(t, "b")
		long, short := rapid.IntRange(5, 9).Draw(t, "length of a"), rapid.IntRange(0, 9).Draw(t, "length of b")
		of := func(slots []uint32, n int) (Words, map[uint32]bool) {
			w, m := make(Words, n), map[uint32]bool{}
			for _, s := range slots {
				if int(s>>6) < n {
					w.Add(s)
					m[s] = true
				}
			}
			return w, m
		}
		for name, do := range map[string]func(w, o Words){"and": Words.And, "not": Words.AndNot, "or": Words.Or} {
			w, x := of(a, long)
			o, y := of(b, short)
			do(w, o)
			var want []uint32
			for s := range uint32(long * 64) {
				in := map[string]bool{"and": x[s] && y[s], "not": x[s] && !y[s], "or": x[s] || y[s]}[name]
				require.Equal(t, in, w.Has(s), name)
				if in {
					want = append(want, s)
				}
			}
			require.False(t, w.Has(uint32(long*64)))
			require.Equal(t, want, slices.Collect(w.All()), name)
			require.Equal(t, len(want), w.Len())
			from := rapid.Uint32Range(0, 700).Draw(t, "from")
			i, _ := slices.BinarySearch(want, from)
			next, ok := w.Next(from)
			require.Equal(t, i < len(want), ok)
			if ok {
				require.Equal(t, want[i], next)
			}
		}
	})
}

func TestWordsOfASetAreItsSlots(t *testing.T) {
	var s Set
	require.Empty(t, s.Words(nil))
	var none *Set
	require.Empty(t, none.Words(make(Words, 4)))
	for _, slot := range []uint32{0, 63, 64, 2*PieceSlots + 5} { // one piece in between is not there
		s.Add(slot)
	}
	dirty := make(Words, 4*PieceWords)
	for i := range dirty {
		dirty[i] = ^uint64(0)
	}
	w := s.Words(dirty)
	require.Equal(t, slices.Collect(s.All()), slices.Collect(w.All()))
	require.Zero(t, w.Word(len(w)))
}
