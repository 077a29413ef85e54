package demo

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

// at returns a ledger in which ids 1..n were acknowledged.
func at(n int) *ledger {
	l := newLedger(n)
	for id := uint64(1); id <= uint64(n); id++ {
		l.begin(id)
		l.settle(id, []float32{float32(id)})
	}
	return l
}

func expect(t *testing.T, l *ledger, id uint64) expectation {
	t.Helper()
	x, ok := l.expect(id)
	require.True(t, ok)
	return x
}

func results(pairs ...float32) []tarn.Result {
	var out []tarn.Result
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, tarn.Result{ID: uint64(pairs[i]), Distance: pairs[i+1]})
	}
	return out
}

func TestAnswersAreJudged(t *testing.T) {
	for name, c := range map[string]struct {
		answer        []tarn.Result
		misses, stale int
	}{
		"the point itself comes first":                          {results(3, 0, 4, 0.5), 0, 0},
		"the point itself, a rounding away from zero":           {results(3, 2e-7, 4, 0.5), 0, 0},
		"another point at the same distance comes first":        {results(4, 0, 3, 0), 0, 0},
		"so many at the same distance that it is not among ten": {results(4, 0, 5, 0), 0, 0},
		"nothing comes back":                                    {nil, 1, 0},
		"another point comes first, it is not there":            {results(4, 0.01), 1, 0},
		"it is shown where it was before":                       {results(4, 0, 3, 0.3), 0, 1},
		"it is shown twice, once where it was before":           {results(3, 0, 3, 0.3), 0, 1},
		"it is shown where it was before, and first":            {results(3, 0.3), 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			l, tl := at(5), tally{}
			tl.judge(l, expect(t, l, 3), c.answer)
			assert.Equal(t, []int{1, c.misses, c.stale}, []int{tl.searches, tl.misses, tl.stale})
		})
	}
}

func TestI1_PointsWithAWriteUnderWayAreNotJudged(t *testing.T) {
	l, tl := at(5), tally{}

	x := expect(t, l, 3)
	l.begin(3)
	tl.judge(l, x, nil)
	assert.Zero(t, tl.misses, "a write began while the search ran")
	_, ok := l.expect(3)
	assert.False(t, ok, "nobody asks for a point with a write under way")

	l.settle(3, []float32{30})
	tl.judge(l, x, results(3, 0.4))
	assert.Zero(t, tl.misses+tl.stale, "it moved while the search ran")

	tl.judge(l, expect(t, l, 3), nil)
	assert.Equal(t, 1, tl.misses, "once it has settled it is judged again")
}

func TestI2_DeletedPointsInAnyAnswerAreCountedOnce(t *testing.T) {
	l, tl := at(5), tally{}
	before := expect(t, l, 3)
	l.begin(4)
	l.remove(4)

	tl.judge(l, before, results(3, 0, 4, 0.5))
	assert.Empty(t, tl.resurrected, "the search began before the delete was acknowledged")

	for range 2 {
		tl.judge(l, expect(t, l, 3), results(3, 0, 4, 0.5))
	}
	var r Report
	tl.into(&r)
	assert.Equal(t, 1, r.Resurrected)
	assert.Equal(t, 0, r.Misses)
	assert.Equal(t, 3, r.Searches)
}

func TestLedgerKnowsWhatIsThere(t *testing.T) {
	l := at(3)
	assert.Equal(t, []uint64{3, 2, 1, 0}, []uint64{l.newest(0), l.newest(1), l.newest(2), l.newest(3)})
	l.begin(2)
	l.remove(2)
	live, deleted := l.live()
	assert.Equal(t, []uint64{1, 3}, live)
	assert.Equal(t, []uint64{2}, deleted)
	_, ok := l.expect(2)
	assert.False(t, ok)
}
