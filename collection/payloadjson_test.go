package collection

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// awkward are values that a fast encoder may get wrong.
var awkward = []any{
	nil, true, false, "", "plain", "ä<&>\u007f", "a\"b\\c\nd\te", "\r\b\f\x00\x1f", "\u2028\u2029", "\xff", "a\xc3", "日本\U0001F600", "\ufffd",
	0, -1, int64(math.MinInt64), int32(-7), int64(math.MaxInt64), uint32(7), uint64(math.MaxUint64), uint8(3), float32(0.1),
	0.0, math.Copysign(0, -1), 1.0, 0.1, -2.5, 1e20, 1e21, 123456789e12, 1e-6, 9.99e-7, 1e300, math.SmallestNonzeroFloat64, math.MaxFloat64,
	math.NaN(), math.Inf(1), json.Number("12"), json.Number("1e999"),
	[]any{}, []any(nil), []any{1, "x", nil, []any{2.5}}, []string{"a"}, map[string]any{}, map[string]any(nil),
	map[string]any{"b": 1, "a": map[string]any{"z": "\n", "": 0}}, Payload{"x": 1}, map[string]int{"n": 1}, struct{ A int }{1}, make(chan int), func() {},
}

func TestAPlainPayloadIsEncodedAsEncodingJSONDoes(t *testing.T) {
	fast := 0
	for _, v := range awkward {
		p := Payload{"k": v, "other": "x"}
		want, err := encodeAny(p)
		got, ok := encodePlain(p, 1<<20)
		if !ok {
			continue
		}
		fast++
		require.NoError(t, err, "%#v", v)
		require.Equal(t, string(want), string(got), "%#v", v)
	}
	require.Greater(t, fast, 25)
	deep := any("x")
	for range 40 {
		deep = []any{map[string]any{"d": deep}}
	}
	_, ok := encodePlain(Payload{"k": deep}, 1<<20)
	require.False(t, ok)
	_, ok = encodePlain(Payload{"\xff": 1}, 1<<20)
	require.False(t, ok)
}

func FuzzAPlainPayloadIsEncodedAsEncodingJSONDoes(f *testing.F) {
	f.Add("key", "text\n", int64(7), 0.25)
	f.Add("\u2028", "\xff\"\\", int64(-1), 1e-7)
	f.Fuzz(func(t *testing.T, key, text string, n int64, x float64) {
		p := Payload{key: text, key + "n": n, "x": x, "list": []any{text, n, map[string]any{text: x}}}
		want, err := encodeAny(p)
		if got, ok := encodePlain(p, 1<<20); ok {
			require.NoError(t, err)
			require.Equal(t, string(want), string(got))
		}
		var w plainWriter // that has written others
		for i, p := range []Payload{{"x": n, key: n}, p, {key: x, "y": p}, {text: x, key: p, "x": n}, p, {key: x, "y": p}} {
			want, err := encodeAny(p)
			if got, ok := encodeWith(&w, p, 1<<20); ok {
				require.NoError(t, err)
				require.Equal(t, string(want), got, i)
			}
		}
	})
}

func TestEachByteOfATextIsWrittenAsEncodingJSONDoes(t *testing.T) {
	for length := range 27 {
		for at := range length {
			for c := range 256 {
				s := strings.Repeat("m", at) + string([]byte{byte(c)}) + strings.Repeat("n", length-at-1)
				w := plainWriter{limit: 1 << 10}
				ok := w.text(s)
				require.Equal(t, c == '\n' || c == '\t' || c >= ' ' && c < 0x80, ok, "%q", s)
				if ok {
					require.Equal(t, marshaled(t, s), string(w.buf))
				}
			}
			for _, r := range "\u0080\u07ff\u0800\u2027\u2028\u2029\u202a\uffff\U00010000\U0010ffff" {
				s := strings.Repeat("m", at) + string(r) + strings.Repeat("\"", length-at-1) + string(r)
				w := plainWriter{limit: 1 << 10}
				require.Equal(t, r != '\u2028' && r != '\u2029', w.text(s), "%q", s)
				if len(w.buf) > 0 {
					require.Equal(t, marshaled(t, s), string(w.buf))
				}
				w = plainWriter{limit: 1 << 10}
				require.False(t, w.text(s[:len(s)-1]), "%q", s)
			}
		}
	}
}

func marshaled(t *testing.T, s string) string {
	p, err := encodeAny(Payload{"": s})
	require.NoError(t, err)
	return string(p[len(`{"":`) : len(p)-1])
}

func TestEachFloatIsWrittenAsEncodingJSONDoes(t *testing.T) {
	check := func(f float64) {
		var w plainWriter
		want, err := json.Marshal(f)
		if ok := w.float(f); ok {
			require.NoError(t, err)
			require.Equal(t, string(want), string(w.buf))
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 50_000 {
		f := float64(i-1000) / []float64{1, 2, 10, 64, 100, 1000, 10_000, 3}[i%8]
		if i%4 == 0 {
			f = float64(random.Uint64()>>random.UintN(64)) / 1000
		}
		check(f)
		check(math.Nextafter(f, 0))
		check(math.Nextafter(f, math.Inf(1)))
		check(math.Float64frombits(random.Uint64()))
	}
	for _, f := range []float64{0, math.Copysign(0, -1), 1e12, 1e15, 1e18, 1e21, 1e-6, 1e-3, 5e-4, 0.9995, 999999999999.999, math.MaxUint64, math.Inf(1), math.NaN()} {
		for _, f := range []float64{f, -f, math.Nextafter(f, 0), -math.Nextafter(f, 0)} {
			check(f)
		}
	}
}

func TestAPlainPayloadTakesOneAllocation(t *testing.T) {
	if raceOn {
		t.Skip("pools forget on purpose under the race detector")
	}
	p := Payload{"title": "a passage of a manual page, as many others", "section": int64(8), "words": int64(80), "lang": "en", "rank": 0.25}
	require.LessOrEqual(t, testing.AllocsPerRun(200, func() {
		if _, err := encodePayload(p, 1<<20); err != nil {
			t.Fatal(err)
		}
	}), 1.0)
}

// Small ones are beside each other in memory, and the next is written where one was.
func TestEncodedPayloadsStayAsTheyAreWhateverIsEncodedAfterThem(t *testing.T) {
	var want []string
	var got [][]byte
	for n := range 3_000 {
		text := strings.Repeat(string(rune('a'+n%26)), n*37%(spaceBlock/4))
		data, err := encodePayload(Payload{"t": text}, 1<<20)
		require.NoError(t, err)
		want, got = append(want, `{"t":"`+text+`"}`), append(got, data)
	}
	for n := range got {
		_ = append(got[n], "what an owner adds"...)
	}
	for n := range got {
		require.Equal(t, want[n], string(got[n]))
	}
}

func TestSmallPayloadsShareAllocationsAndLargeOnesKeepToThemselves(t *testing.T) {
	if raceOn {
		t.Skip("pools forget on purpose under the race detector")
	}
	each := func(size int) float64 {
		p := Payload{"t": strings.Repeat("x", size)}
		return testing.AllocsPerRun(1_000, func() {
			if _, ok := encodePlain(p, 1<<20); !ok {
				t.Fatal("not plain")
			}
		})
	}
	require.Zero(t, each(20), "rounded down: one in a hundred")
	require.EqualValues(t, 1, each(spaceBlock/8), "it would keep what is beside it")
}

func TestALargePayloadLeavesTheMemoryThatSmallOnesShare(t *testing.T) {
	w := new(plainWriter)
	encode := func(p Payload) []byte {
		w.limit = 1 << 20
		require.True(t, w.object(p, 0))
		data := w.written()
		w.rest()
		return data
	}
	encode(Payload{"n": 1})
	space := &w.space.block[:1][0]
	many := Payload{}
	for n := range 2 * keptPlain / leastMember {
		many[strconv.Itoa(n)] = n
	}
	require.Len(t, encode(Payload{"t": strings.Repeat("x", 2*keptPlain)}), 2*keptPlain+len(`{"t":""}`))
	encode(many)
	require.Nil(t, w.buf)
	require.Nil(t, w.members)
	encode(Payload{"n": 2})
	require.Same(t, space, &w.space.block[:1][0])
	require.Equal(t, `{"n":1}{"n":2}`, string(w.space.block))
}

func BenchmarkEncodePayload(b *testing.B) {
	ps := make([]Payload, 4000) // a map is cold when its turn comes
	for name, of := range map[string]func(i int) Payload{
		"alike": func(i int) Payload {
			return Payload{"title": "a passage of a manual page, as many others", "section": int64(i % 8), "words": int64(80), "lang": "en", "rank": 0.25}
		},
		"unlike": func(i int) Payload {
			return Payload{fmt.Sprint("title", i): "a passage", fmt.Sprint("section", i): int64(i % 8), fmt.Sprint("rank", i): 0.25}
		},
		"nested": func(i int) Payload {
			return Payload{"title": "a passage", "page": map[string]any{"lang": "en", "rank": float64(i % 10), "n": 8}, "tags": []any{"a", "b"}}
		},
		"text": func(int) Payload { return Payload{"text": strings.Repeat("Most of it is ASCII.\n", 30)} },
	} {
		b.Run(name, func(b *testing.B) {
			for i := range ps {
				ps[i] = of(i)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := encodePayload(ps[i%len(ps)], 1<<20); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// texts are stored payloads that a fast decoder may get wrong.
var texts = []string{
	`{}`, `{"a":1}`, `{"a":{"b":[1,"x",null,true,false,[],{}]},"c":-2.5}`, `{"a":"ä\u00e4"}`, `{"a":"q\"b\\c\nd\te"}`, `{"a":"\/\b"}`, `{"":""}`,
	`{"a":1,"a":2}`, `{"a":"\ud83d\ude00"}`, `{"a":0}`, `{"a":-0}`, `{"a":-0.0}`, `{"a":01}`, `{"a":-}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e5}`, `{"a":1E-400}`, `{"a":1e999}`,
	`{"a":18446744073709551615}`, `{"a":18446744073709551616}`, `{"a":-9223372036854775808}`, `{"a":123456789012345678901234567890}`, `{"a":+1}`, `{"a":0x1}`,
	`null`, `[]`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,}`, `{"a":1}}`, `{"a":1} `, ` {"a":1}`, `{ "a" : 1 }`, `{"a":tru}`, `{"a":nul}`, `{"a":truex}`,
	"{\"a\":\"\xff\"}", "{\"a\":\"\n\"}", "{\"\xff\":1}", `{"a":"\q"}`, `{"a":"\`, `{"a":"`, `{"a":[1,]}`, `{"a":[,1]}`, `{"a":[1 ,2]}`, "",
}

func TestAPlainPayloadIsDecodedAsEncodingJSONDoes(t *testing.T) {
	fast := 0
	for _, text := range texts {
		if requireDecodedAlike(t, []byte(text)) {
			fast++
		}
	}
	for _, v := range awkward {
		if data, err := encodePayload(Payload{"k": v, "list": []any{v, "x"}}, 1<<20); err == nil && requireDecodedAlike(t, data) {
			fast++
		}
	}
	require.Greater(t, fast, 40)
	for _, deep := range []int{plainDepth, plainDepth + 1, 60} {
		requireDecodedAlike(t, []byte(strings.Repeat(`{"a":[`, deep)+strings.Repeat(`]}`, deep)))
	}
	for _, digits := range []int{299, 300, 308, 309, 310, 400} {
		requireDecodedAlike(t, []byte(`{"a":`+strings.Repeat("9", digits)+`}`))
		requireDecodedAlike(t, []byte(`{"a":0.`+strings.Repeat("0", digits)+`1}`))
	}
}

// requireDecodedAlike reports whether the fast way took the payload.
func requireDecodedAlike(t *testing.T, data []byte) bool {
	got, ok := decodePlain(data)
	if !ok {
		return false
	}
	want, err := decodeAny(data)
	require.NoError(t, err, "%s", data)
	require.Equal(t, want, got, "%s", data)
	return true
}

func FuzzAPlainPayloadIsDecodedAsEncodingJSONDoes(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) { requireDecodedAlike(t, data) })
}

func BenchmarkDecodePayload(b *testing.B) {
	data := []byte(`{"n":4711,"tags":["a","b"],"title":"the title of number 4711","words":77}`)
	for name, decode := range map[string]func([]byte) (Payload, error){"plain": decodePayload, "any": decodeAny} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decode(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestAPlainPayloadAboveItsLimitIsGivenUpBeforeMuchOfItIsWritten(t *testing.T) {
	const limit = 1000
	numbers, members := make([]any, 1<<20), map[string]any{}
	for i := range numbers {
		numbers[i] = 1
	}
	for i := range limit {
		members[fmt.Sprint(i)] = nil
	}
	for name, p := range map[string]Payload{
		"a long string":  {"k": strings.Repeat("x", 1<<20)},
		"a long name":    {strings.Repeat("x", 1<<20): 1},
		"many numbers":   {"k": numbers},
		"many members":   members,
		"members within": {"k": members},
	} {
		w := plainWriter{limit: limit}
		require.False(t, w.object(p, 0), name)
		require.LessOrEqual(t, cap(w.buf), 4*limit, name)
		require.LessOrEqual(t, cap(w.members), limit, name)
		_, err := encodePayload(p, limit)
		require.ErrorIs(t, err, ErrTooLarge, name)
	}
}
