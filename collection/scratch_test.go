package collection

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/filter"
)

// What many searches at once, or one under a filter that is nested deep, have needed
// is given back but for some of it, with its pins.
func TestOfWhatManySearchesNeededSomeIsKept(t *testing.T) {
	c := &Collection{}
	var taken []*scratch
	for range 3 * maxFree {
		taken = append(taken, c.takeScratch())
	}
	taken[0].match.sets = make([]bitmap.Words, 200)
	for _, s := range taken {
		c.putScratch(s)
	}
	require.Len(t, c.scratch.free, maxFree)
	require.Len(t, c.pins.all, maxFree)
	require.Len(t, taken[0].match.sets, maxSets)
	require.Contains(t, c.pins.all, &c.takeScratch().pin)
}

// A payload that cannot be read is in no index, so none is asked any more: whoever looks
// at the payload says that it is damaged.
func TestNoIndexIsAskedThatLacksAPayload(t *testing.T) {
	x := &fields{}
	x.init()
	x.declare([]string{"a"})
	x.list[0].ready = true
	x.add(1, []byte(`{"a":1}`))
	require.NotNil(t, x.find("a"))
	x.add(2, []byte(`{"a":`))
	require.Nil(t, x.find("a"))
	p, err := filter.Compile(filter.Exists("a"))
	require.NoError(t, err)
	m := &matcher{}
	c := &Collection{}
	c.live.Add(1)
	c.live.Add(2)
	c.fields.list, c.fields.paths = x.list, x.paths
	c.fields.fault.Store(x.fault.Load())
	c.bounds(m, p)
	require.Zero(t, m.set.Len())
	require.Equal(t, 2, m.may.Len())
}
