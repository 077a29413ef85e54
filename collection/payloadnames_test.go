package collection

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// encodeWith is encodePlain with a writer that has a past.
func encodeWith(w *plainWriter, p Payload, limit int) (string, bool) {
	w.limit = limit
	ok := w.object(p, 0)
	data := string(w.buf)
	w.rest()
	return data, ok
}

// alike are payloads that differ in names and in where objects are.
func alike() map[string]Payload {
	return map[string]Payload{
		"five names":         {"title": "a passage", "section": int64(1), "words": 80, "lang": "en", "rank": 0.25},
		"the same names":     {"title": "an\nother", "section": int64(2), "words": "none", "lang": nil, "rank": []any{1, "x"}},
		"another name":       {"title": "a passage", "section": int64(1), "words": 80, "lang": "en", "Rank": 0.5},
		"one name more":      {"title": "a passage", "section": int64(1), "words": 80, "lang": "en", "rank": 0.25, "a": 1},
		"one name less":      {"title": "a passage", "section": int64(1), "words": 80, "lang": "en"},
		"a name escaped":     {"title": "a passage", "section": int64(1), "words": 80, "lang": "en", "ra\"nk": 0.25},
		"as it is escaped":   {"title": "a passage", "section": int64(1), "words": 80, "lang": "en", `ra\"nk`: 0.25},
		"names in others":    {"t": 1, "ti": 2, "title": 3, "title!": 4, "itle": 5},
		"an empty name":      {"": 1, "title": ""},
		"beyond ASCII":       {"größe": 1, "日本": 2, "<&>": 3},
		"objects within":     {"title": map[string]any{"title": "x", "lang": map[string]any{"title": map[string]any{"title": 1}, "lang": 2}}, "lang": 3},
		"objects in a list":  {"title": []any{map[string]any{"lang": 1, "a": 2}, map[string]any{"lang": 3}, map[string]any{}, map[string]any{"b": nil, "a": 2}}},
		"as many names":      {"title": map[string]any{"a": 1, "b": 2}, "lang": map[string]any{"a": 1, "c": 2}},
		"none":               {},
		"more than are kept": many("name", keptNames+1),
		"a long name":        {strings.Repeat("n", keptNameBytes): 1, "title": 2},
	}
}

func TestNamesThatAreKeptChangeNothing(t *testing.T) {
	all, names := alike(), []string{}
	want := map[string]string{}
	for name, p := range all {
		data, err := encodeAny(p)
		require.NoError(t, err)
		want[name], names = string(data), append(names, name)
	}
	slices.Sort(names)
	for seed := range uint64(20) {
		var w plainWriter
		random := rand.New(rand.NewPCG(seed, 0))
		for range 1000 {
			name := names[random.IntN(len(names))]
			for range 1 + random.IntN(3) { // so that some are not waited for
				got, ok := encodeWith(&w, all[name], 1<<20)
				require.True(t, ok, name)
				require.Equal(t, want[name], got, "%s, seed %d", name, seed)
			}
		}
	}
}

func TestNamesThatAreKeptAreWithinTheLimitToo(t *testing.T) {
	for name, p := range alike() {
		want, err := encodeAny(p)
		require.NoError(t, err)
		for limit := range len(want) + 8 {
			var w plainWriter
			for range 3 {
				_, ok := encodeWith(&w, p, 1<<20)
				require.True(t, ok)
			}
			got, ok := encodeWith(&w, p, limit)
			if limit >= len(want) {
				require.True(t, ok, "%s, limit %d", name, limit)
				require.Equal(t, string(want), got)
			}
			data, err := encodePayload(p, limit)
			if limit < len(want) {
				require.ErrorIs(t, err, ErrTooLarge, "%s, limit %d", name, limit)
			} else {
				require.NoError(t, err)
				require.Equal(t, string(want), string(data))
			}
		}
	}
}

func TestTheNamesOfAPayloadAreKnownWhenTheNextIsWritten(t *testing.T) {
	var w plainWriter
	p := alike()["five names"]
	next := func(p Payload) (missed int) {
		_, ok := encodeWith(&w, p, 1<<20)
		require.True(t, ok)
		return w.names[0].missed
	}
	require.Equal(t, 1, next(p))
	next(p)
	require.Zero(t, next(p))
	require.Len(t, w.names[0].written, len(p))
	require.Equal(t, 1, next(alike()["one name more"]))
	next(p)
	require.Zero(t, next(alike()["one name more"]), "both fit")
	require.Zero(t, next(p), "with a name that is not in it")
	require.Len(t, w.names[0].written, len(p)+1)

	for i := range 3 * mostWait {
		next(Payload{fmt.Sprint("only ", i): i})
		require.LessOrEqual(t, len(w.names[0].written), keptNames)
	}
	for range 3 * mostWait {
		next(alike()["names in others"])
	}
	require.Zero(t, next(alike()["names in others"]), "what does not fit is forgotten")
	for range 3 * mostWait {
		next(many("name", keptNames))
	}
	require.Len(t, w.names[0].written, keptNames)
	for range 3 * mostWait {
		next(p)
	}
	require.Zero(t, next(p), "what is far more is forgotten too")
	require.Len(t, w.names[0].written, len(p))
}

// many returns a payload of n members.
func many(name string, n int) Payload {
	p := Payload{}
	for i := range n {
		p[fmt.Sprint(name, i)] = i
	}
	return p
}

func TestWhatIsKeptOfNamesIsBounded(t *testing.T) {
	var w plainWriter
	for i := range 5000 {
		p := Payload{}
		if i%500 < 8 {
			p = many(fmt.Sprint(i%4), keptNames/2)
		}
		for n := range i % 9 {
			p[strings.Repeat(string(rune('a'+n)), 1+(i*n)%(keptNameBytes/4))] = map[string]any{fmt.Sprint(i, n): map[string]any{fmt.Sprint(n, i): n}}
		}
		_, ok := encodeWith(&w, p, 1<<20)
		require.True(t, ok)
		for _, c := range w.names {
			size := 0
			for _, name := range c.written {
				size += len(name)
			}
			require.Equal(t, size, c.size)
			require.LessOrEqual(t, size, keptNameBytes)
			require.LessOrEqual(t, len(c.written), keptNames)
			require.True(t, slices.IsSortedFunc(c.written, func(a, b string) int { return strings.Compare(bare(a), bare(b)) }))
		}
	}
}

func TestACacheThatBeginsAnewHasRoomForNoMoreNamesThanAnEmptyOne(t *testing.T) {
	var w plainWriter
	few, most := many("a", 40), many("b", 60)
	for name, v := range few {
		most[name] = v
	}
	_, ok := encodeWith(&w, few, 1<<20)
	require.True(t, ok)
	require.Len(t, w.names[0].written, 40)
	for range 3 * mostWait {
		_, ok := encodeWith(&w, most, 1<<20)
		require.True(t, ok)
		require.LessOrEqual(t, len(w.names[0].written), keptNames)
	}
}

func TestAWriterKeepsNothingOfAPayload(t *testing.T) {
	for name, last := range map[string]any{"written": 1, "given up": func() {}} {
		var w plainWriter
		before := heap()
		func() {
			long := strings.Repeat("n", 32<<20)
			list := slices.Repeat([]any{[]any{map[string]any{long[:7]: long[:8]}}}, 100) // names so deep are not kept
			_, ok := encodeWith(&w, Payload{long[:5]: long[:9], long[:6]: list, "x": map[string]any{long[:4]: last}}, 1<<20)
			require.Equal(t, name == "written", ok)
		}()
		require.Len(t, w.names[0].written, 3, name)
		require.Less(t, heap(), before+16<<20, name)
		require.LessOrEqual(t, cap(w.members), 10, name)
		for _, m := range w.members[:cap(w.members)] {
			require.Zero(t, m, name)
		}
		runtime.KeepAlive(&w)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestPayloadsAreEncodedByManyAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				for name, p := range alike() {
					want, err := encodeAny(p)
					if err != nil {
						t.Error(name, err)
					}
					if got, err := encodePayload(p, 1<<20); err != nil || string(got) != string(want) {
						t.Error(name, err, string(got))
					}
				}
			}
		})
	}
	wg.Wait()
}
