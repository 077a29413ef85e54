package collection

import (
	"cmp"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whatever has changed, recentFrom returns the changes up to the want-th key that is
// there, in their order, newest first where a key has two.
func TestAPageOfChangesIsTheFirstOfAllThatChanged(t *testing.T) {
	key := rapid.StringMatching(`[ab]{1,7}`)
	rapid.Check(t, func(t *rapid.T) {
		var k keys
		all := map[string]uint64{}
		for _, m := range []*map[string]keyChange{&k.frozen, &k.fresh} {
			*m = map[string]keyChange{}
			for range rapid.IntRange(0, 120).Draw(t, "changes") {
				name, id := key.Draw(t, "key"), max(0, rapid.Int64Range(-5, 5).Draw(t, "id"))
				(*m)[name], all[name] = keyChange{uint64(id)}, uint64(id)
			}
		}
		for name, c := range k.fresh {
			all[name] = c.id
		}
		from, want := key.Draw(t, "from"), rapid.IntRange(1, 20).Draw(t, "want")
		var naive []namedChange
		there := 0
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if name < from || there == want {
				continue
			}
			naive = append(naive, namedChange{name, all[name]})
			if all[name] != 0 {
				there++
			}
		}
		got := k.recentFrom(from, want)
		require.Equal(t, naive, got)
		require.True(t, slices.IsSortedFunc(got, func(a, b namedChange) int { return cmp.Compare(a.key, b.key) }))
	})
}
