package collection

import (
	"encoding/json"
	"math"
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
		got, ok := encodePlain(p)
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
	_, ok := encodePlain(Payload{"k": deep})
	require.False(t, ok)
	_, ok = encodePlain(Payload{"\xff": 1})
	require.False(t, ok)
}

func FuzzAPlainPayloadIsEncodedAsEncodingJSONDoes(f *testing.F) {
	f.Add("key", "text\n", int64(7), 0.25)
	f.Add("\u2028", "\xff\"\\", int64(-1), 1e-7)
	f.Fuzz(func(t *testing.T, key, text string, n int64, x float64) {
		p := Payload{key: text, key + "n": n, "x": x, "list": []any{text, n, map[string]any{text: x}}}
		want, err := encodeAny(p)
		if got, ok := encodePlain(p); ok {
			require.NoError(t, err)
			require.Equal(t, string(want), string(got))
		}
	})
}

func TestAPlainPayloadTakesTwoAllocations(t *testing.T) {
	p := Payload{"title": "a passage of a manual page, as many others", "section": int64(8), "words": int64(80), "lang": "en", "rank": 0.25}
	require.LessOrEqual(t, testing.AllocsPerRun(200, func() {
		if _, err := encodePayload(p, 1<<20); err != nil {
			t.Fatal(err)
		}
	}), 2.0)
}
