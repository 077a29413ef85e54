package collection

import (
	"encoding/json"
	"fmt"
	"math"
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
	})
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
