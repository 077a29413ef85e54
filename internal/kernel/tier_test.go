package kernel

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// onEveryTier runs f once per tier that this machine has, and skips the others
// by name.
func onEveryTier(t *testing.T, f func(t *testing.T)) {
	chosen := active
	defer func() { active = chosen }()
	for i, name := range tierNames {
		t.Run(name, func(t *testing.T) {
			if !has(tier(i)) {
				t.Skipf("this machine lacks the instructions of tier %s", name)
			}
			active = tier(i)
			f(t)
		})
	}
}

func has(want tier) bool {
	for _, t := range availableTiers() {
		if t == want {
			return true
		}
	}
	return false
}

func TestATierIsForcedByNameAndARefusalSaysWhy(t *testing.T) {
	for _, a := range availableTiers() {
		got, reason := chooseTier(a.String())
		require.Equal(t, a, got)
		require.Empty(t, reason)
	}
	best, reason := chooseTier("")
	require.Empty(t, reason)
	for i, name := range tierNames {
		if !has(tier(i)) {
			got, reason := chooseTier(name)
			require.Equal(t, best, got)
			require.Contains(t, reason, "lacks the instructions")
		}
	}
	got, reason := chooseTier("mmx")
	require.Equal(t, best, got)
	require.Equal(t, `TARN_KERNEL="mmx": no such tier`, reason)
	name, _ := Tier()
	require.Equal(t, active.String(), name)
}

// randomSlots returns n slots below limit, repeats included.
func randomSlots(r *rand.Rand, n, limit int) []uint32 {
	s := make([]uint32, n)
	for i := range s {
		s[i] = uint32(r.IntN(limit))
	}
	return s
}

func TestApproximateDistancesAreTheSameBitsOnEveryTier(t *testing.T) {
	r := newRand(11)
	chosen := active
	defer func() { active = chosen }()
	for _, dim := range someDims() {
		s, m := shapes[r.IntN(len(shapes))], metrics[dim%3]
		codes, _ := table(m, draw(r, s, 9, dim), 2)
		v := draw(r, s, 1, dim)[0]
		slots := randomSlots(r, dim%41, 9)
		var want []float32
		for _, a := range availableTiers() {
			var q Query
			active = a
			got := make([]float32, len(slots))
			q.Set(m, v)
			q.Codes(codes, slots, got)
			if want == nil {
				want = got
			}
			require.Equal(t, want, got, "%v %v dim %d %s", a, m, dim, s.name)
		}
	}
}
