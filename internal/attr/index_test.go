package attr

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/tarndb/tarn/internal/bitmap"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/filter"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var long = strings.Repeat("x", maxString)

// someValues are scalars of all kinds, near each other.
var someValues = []any{nil, true, false, 0, 1, -1, 1.5, 2, int64(1) << 60, int64(1)<<60 + 1, 1e300, "", "a", "ab", "b", long, long + "y", long + "z", "y"}

func value() *rapid.Generator[any] {
	return rapid.OneOf(rapid.SampledFrom(someValues), rapid.Map(rapid.IntRange(0, 2000), func(i int) any { return i }))
}

// doc is a payload with a field f, or without.
func doc(t *rapid.T) []byte {
	var f any
	switch rapid.IntRange(0, 9).Draw(t, "shape") {
	case 0:
		return []byte(`{"g":1}`)
	case 1:
		return nil
	case 2:
		f = map[string]any{"f": 1}
	case 3, 4:
		f = rapid.SliceOfN(value(), 0, 4).Draw(t, "array")
	default:
		f = value().Draw(t, "value")
	}
	data, _ := json.Marshal(map[string]any{"f": f, "g": 2})
	return data
}

func condition(t *rapid.T) filter.Filter {
	v := value().Draw(t, "v")
	switch rapid.IntRange(0, 7).Draw(t, "op") {
	case 0:
		return filter.Eq("f", v)
	case 1:
		return filter.In("f", v, value().Draw(t, "w"), "nothing")
	case 2:
		return filter.Lt("f", v)
	case 3:
		return filter.Lte("f", v)
	case 4:
		return filter.Gt("f", v)
	case 5:
		return filter.Gte("f", v)
	case 6:
		return filter.Exists("f")
	}
	return filter.Contains("f", v)
}

// model is an index and the payloads it was told of.
type model struct {
	x     *Index
	docs  map[uint32][]byte
	paths *filter.Paths
	going bitmap.Words // what is being removed
}

func (m *model) add(t *rapid.T, slot uint32, data []byte) {
	var s filter.Scratch
	facts, err := m.paths.Facts(data, &s, nil)
	require.NoError(t, err)
	m.x.Add(slot, &facts[0])
	m.x.Add(slot, &facts[0]) // I3
	m.docs[slot] = data
}

// check looks a condition up and asks each payload.
func (m *model) check(t *rapid.T, f filter.Filter) {
	p, err := filter.Compile(f)
	require.NoError(t, err)
	words := 3*1024 + 1
	must, may := make(bitmap.Words, words), make(bitmap.Words, words)
	var s Scratch
	var fs filter.Scratch
	exact := m.x.Lookup(p.Tree(), must, may, &s)
	may.Or(must)
	for slot, data := range m.docs {
		want, err := p.Match(data, &fs)
		require.NoError(t, err)
		if must.Has(slot) && !want || !may.Has(slot) && want || exact && must.Has(slot) != may.Has(slot) {
			t.Fatalf("slot %d, %.80s: %v; must %v, may %v, exact %v", slot, data, want, must.Has(slot), may.Has(slot), exact)
		}
	}
	for _, set := range []bitmap.Words{must, may} {
		for slot := range set.All() {
			if _, ok := m.docs[slot]; !ok && !m.going.Has(slot) {
				t.Fatalf("slot %d is not there", slot)
			}
		}
	}
}

func TestI1_LookupsAreRightWhateverWasAddedRemovedAndStored(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{x: New(), docs: map[uint32][]byte{}, paths: filter.NewPaths([]string{"f"})}
		slot := rapid.OneOf(rapid.Uint32Range(0, 200), rapid.Uint32Range(60_000, 3*65_536))
		for range rapid.IntRange(0, 300).Draw(t, "adds") {
			if s := slot.Draw(t, "slot"); m.docs[s] == nil {
				m.add(t, s, doc(t))
			}
		}
		if rapid.Bool().Draw(t, "dense") {
			data := doc(t)
			for s := range uint32(1000) {
				if s += 70_000; m.docs[s] == nil {
					m.add(t, s, data)
				}
			}
		}
		gone := make(bitmap.Words, 3*1024+1)
		for s := range m.docs {
			if rapid.IntRange(0, 3).Draw(t, "remove") == 0 {
				gone.Add(s)
				delete(m.docs, s)
			}
		}
		m.going = gone
		for r := NewRemoval(gone); m.x.Remove(r, rapid.IntRange(1, 40).Draw(t, "work")); {
			m.check(t, condition(t)) // what is not gone is found meanwhile
			if s := slot.Draw(t, "slot"); m.docs[s] == nil && !gone.Has(s) {
				m.add(t, s, doc(t))
			}
		}
		m.going = nil
		for range 10 {
			m.check(t, condition(t))
		}
		m.restore(t)
		for range 10 {
			m.check(t, condition(t))
		}
		require.Positive(t, m.x.Bytes())
	})
}

// restore encodes the index in pieces, decodes it, and keeps only some slots.
func (m *model) restore(t *rapid.T) {
	keep, valid := roaring.New(), roaring.New()
	for s := range m.docs {
		keep.Add(s)
		if rapid.IntRange(0, 4).Draw(t, "valid") > 0 {
			valid.Add(s)
		} else {
			delete(m.docs, s)
		}
	}
	var data []byte
	var at Place
	for more := true; more; {
		data, more = m.x.Encode(data, &at, rapid.IntRange(1, 40).Draw(t, "most"), keep)
	}
	m.x = New()
	c := codec.NewCursor(data)
	for {
		e, ok, err := Next(c)
		require.NoError(t, err)
		if !ok {
			break
		}
		m.x.Put(e, valid)
	}
	require.Empty(t, c.Rest())
}

func TestManyDifferentKeysStaySortedInBlocks(t *testing.T) {
	for name, key := range map[string]func(i uint32) uint32{"rising": func(i uint32) uint32 { return i }, "falling": func(i uint32) uint32 { return 1<<20 - i }, "mixed": func(i uint32) uint32 { return i * 7919 % 50_021 }} {
		x := New()
		for i := range uint32(50_000) {
			x.Add(i, &filter.Fact{There: true, Value: filter.Value{Kind: filter.Num, Num: filter.Uint(uint64(key(i)))}})
		}
		last, n := filter.Number{}, 0
		x.scalars.nums.all(func(k filter.Number, s slots) bool {
			if k.Compare(last) <= 0 {
				t.Fatalf("%s: out of order", name)
			}
			last = k
			n++
			return true
		})
		require.Equal(t, 50_000, n)
		require.Less(t, x.Bytes(), 50_000*80, name)
		var s Scratch
		must, may := make(bitmap.Words, 1024), make(bitmap.Words, 1024)
		p, err := filter.Compile(filter.Lt("f", 1000))
		require.NoError(t, err)
		require.True(t, x.Lookup(p.Tree(), must, may, &s))
		for i := range uint32(50_000) {
			if must.Has(i) != (key(i) < 1000) {
				t.Fatalf("%s: key %d", name, key(i))
			}
		}
	}
}

func FuzzIndexEntry(f *testing.F) {
	x := New()
	for i, v := range someValues {
		data, _ := json.Marshal(map[string]any{"f": v})
		var s filter.Scratch
		facts, _ := filter.NewPaths([]string{"f"}).Facts(data, &s, nil)
		for j := range uint32(40) {
			x.Add(j*uint32(i+1), &facts[0])
		}
	}
	keep := roaring.New()
	keep.AddRange(0, 2000)
	var at Place
	whole, _ := x.Encode(nil, &at, 1<<30, keep)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte{0, 200, 1, 5, 1, 2, 3, 4, 5})
	f.Fuzz(func(t *testing.T, data []byte) {
		c, y := codec.NewCursor(data), New()
		for {
			e, ok, err := Next(c)
			if err != nil {
				require.ErrorIs(t, err, codec.ErrCorrupt)
				return
			}
			if !ok {
				return
			}
			y.Put(e, keep)
		}
	})
}
