package filter

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tarndb/tarn/internal/codec"
)

// numbers are near the edges of what int64, uint64 and float64 hold.
var numbers = []json.Number{
	"0", "-0", "0.0", "1", "1.0", "-1", "1.5", "2", "10", "1e1", "0.1", "-0.1", "1e-320", "1e308", "-1e308",
	"9007199254740991", "9007199254740992", "9007199254740993", "9007199254740993.0", "-9007199254740993",
	"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775807", "9.223372036854775807e18",
	"18446744073709551615", "18446744073709551616", "18446744073709549568", "18446744073709551614", "-9223372036854775809", "123456789012345678",
}

var texts = []string{"", "a", "ab", "b", "go", "Go", "ä", "a\nb", "a\"b", `\`, "\u2028", "😀", "\x00", "<&>"}

var fields = []string{"a", "b", "a.b", "a.b.c", "ä", "x y", "list", "none", "a.none"}

func scalars() *rapid.Generator[any] {
	return rapid.OneOf(
		rapid.Just(any(nil)),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.SampledFrom(texts), func(s string) any { return s }),
		rapid.Map(rapid.SampledFrom(numbers), func(n json.Number) any { return n }),
		rapid.Map(rapid.IntRange(-3, 3), func(i int) any { return json.Number(big.NewInt(int64(i)).String()) }),
	)
}

func values(depth int) *rapid.Generator[any] {
	if depth == 0 {
		return scalars()
	}
	return rapid.Custom(func(t *rapid.T) any {
		switch rapid.IntRange(0, 5).Draw(t, "shape") {
		case 0:
			return rapid.SliceOfN(values(depth-1), 0, 4).Draw(t, "array")
		case 1:
			return map[string]any(documents(depth-1).Draw(t, "object"))
		}
		return scalars().Draw(t, "scalar")
	})
}

func documents(depth int) *rapid.Generator[map[string]any] {
	return rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c", "ä", "x y", "list", "other", "a\"b"}), values(depth), 0, 6)
}

func conditions(depth int) *rapid.Generator[cond] {
	return rapid.Custom(func(t *rapid.T) cond {
		ops := []string{"$eq", "$in", "$lt", "$lte", "$gt", "$gte", "$exists", "$contains"}
		if depth > 0 {
			ops = append(ops, "$and", "$or", "$not", "$and", "$or", "$not")
		}
		c := cond{op: rapid.SampledFrom(ops).Draw(t, "op")}
		switch c.op {
		case "$and", "$or":
			c.kids = rapid.SliceOfN(conditions(depth-1), 0, 3).Draw(t, "kids")
		case "$not":
			c.kids = []cond{conditions(depth-1).Draw(t, "kid")}
		case "$exists":
			c.field = rapid.SampledFrom(fields).Draw(t, "field")
		case "$in":
			c.field = rapid.SampledFrom(fields).Draw(t, "field")
			c.vals = rapid.SliceOfN(scalars(), 0, 4).Draw(t, "values")
		default:
			c.field = rapid.SampledFrom(fields).Draw(t, "field")
			c.vals = []any{scalars().Draw(t, "value")}
		}
		return c
	})
}

func TestAnyFilterAgreesWithTheNaiveEvaluator(t *testing.T) {
	var s Scratch
	rapid.Check(t, func(t *rapid.T) {
		c := conditions(3).Draw(t, "filter")
		built, err := Compile(c.build())
		require.NoError(t, err)
		parsed, err := Parse([]byte(c.text()))
		require.NoError(t, err, c.text())
		again, err := Compile(parsed)
		require.NoError(t, err)
		for range 4 {
			data, err := json.Marshal(documents(3).Draw(t, "document"))
			require.NoError(t, err)
			want := c.holds(decode(data))
			for name, p := range map[string]*Program{"built": built, "parsed": again} {
				got, err := p.Match(data, &s)
				require.NoError(t, err)
				require.Equal(t, want, got, "%s: %s on %s", name, c.text(), data)
			}
		}
		got, err := built.Match(nil, &s)
		require.NoError(t, err)
		require.Equal(t, c.holds(nil), got, "no payload")
	})
}

func TestI2_NumbersAreOrderedByValueWhateverTheirType(t *testing.T) {
	for _, a := range numbers {
		for _, b := range numbers {
			x, err := ParseNumber(string(a))
			require.NoError(t, err)
			y, err := ParseNumber(string(b))
			require.NoError(t, err)
			require.Equal(t, exact(a).Cmp(exact(b)), x.Compare(y), "%s and %s", a, b)
			require.Equal(t, exact(a).Cmp(exact(b)) == 0, x == y, "%s and %s", a, b)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		i, u, f := rapid.Int64().Draw(t, "i"), rapid.Uint64().Draw(t, "u"), rapid.Float64().Draw(t, "f")
		if d := int64(rapid.IntRange(-2000, 2000).Draw(t, "near")); rapid.Bool().Draw(t, "close") {
			u = uint64(i) + uint64(d)
			f = float64(i) + float64(d)
		}
		ri, ru, rf := new(big.Rat).SetInt64(i), new(big.Rat).SetInt(new(big.Int).SetUint64(u)), new(big.Rat).SetFloat64(f)
		require.Equal(t, ri.Cmp(ru), Int(i).Compare(Uint(u)))
		require.Equal(t, ri.Cmp(rf), Int(i).Compare(Float(f)))
		require.Equal(t, ru.Cmp(rf), Uint(u).Compare(Float(f)))
	})
	require.Equal(t, -1, Uint(math.MaxUint64).Compare(Float(math.Inf(1))))
	require.Equal(t, 1, Int(math.MinInt64).Compare(Float(math.Inf(-1))))
}

type word string

func TestI2_AValueMeansWhatItWouldBeInAPayload(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	n := 7
	var nobody *int
	var s Scratch
	for _, v := range []any{
		nil, true, "x", word("w"), 1, int8(-1), uint16(9), uint64(math.MaxUint64), float32(0.1), 0.1, 1.0, 1e300,
		json.Number("12.50"), json.Number(""), now, time.Second, &n, nobody, int64(math.MaxInt64), uint8(200), 'x',
	} {
		data, err := json.Marshal(map[string]any{"f": v, "list": []any{v, []any{}}})
		require.NoError(t, err)
		for _, f := range []Filter{Eq("f", v), In("f", "other", v), Contains("list", v)} {
			p, err := Compile(f)
			require.NoError(t, err, "%T", v)
			got, err := p.Match(data, &s)
			require.NoError(t, err)
			require.True(t, got, "%T %v in %s", v, v, data)
		}
	}
}

func TestI1_EscapesDoNotHideNamesOrTexts(t *testing.T) {
	var s Scratch
	p, err := Compile(And(Eq("aä.b", "x/y\n"), Gt("aä.b", "x"), Contains("l", "q\"")))
	require.NoError(t, err)
	got, err := p.Match([]byte(` { "skip\"}":[{"a":"]}\\"}], "\u0061\u00e4" : { "\u0062" : "x\/y\n" } , "l":[ 1 , "q\"" ] } `), &s)
	require.NoError(t, err)
	require.True(t, got)
}

func TestI3_BytesThatAreNoJSONAreDamageOrSteppedOver(t *testing.T) {
	var s Scratch
	p, err := Compile(Or(Eq("a.b", 1), Contains("c", "x")))
	require.NoError(t, err)
	for _, bad := range []string{"", "[]", "x", "{", `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{"a":{"b"}}`, `{1:2}`, `{"c":[1,]}`, `{"c":[,`, `{"a":"`, `{"a":"\`} {
		got, err := p.Match([]byte(bad), &s)
		require.False(t, got, bad)
		require.ErrorIs(t, err, codec.ErrCorrupt, bad)
	}
	deep := `{"z":` + strings.Repeat("[", 1_000_000) + strings.Repeat("]", 1_000_000) + `,"a":{"b":1}}`
	got, err := p.Match([]byte(deep), &s)
	require.NoError(t, err)
	require.True(t, got)
}

func TestI4_MistakesInAFilterAreSaid(t *testing.T) {
	deep := Eq("a", 1)
	for range maxDepth {
		deep = Not(deep)
	}
	wide := Eq("a", 1)
	for range 30 {
		wide = And(wide, wide) // a billion conditions, none of which costs memory
	}
	for name, f := range map[string]Filter{
		"nil": nil, "nil in and": And(Eq("a", 1), nil), "nil in not": Not(nil), "NaN": Eq("a", math.NaN()), "slice": Eq("a", []int{1}),
		"map": In("a", 1, map[string]any{}), "channel": Lt("a", make(chan int)), "no name": Eq("", 1), "dots": Exists("a..b"), "end": Exists("a."),
		"start": Exists(".a"), "long": Exists(strings.Repeat("x", maxPath+1)), "deep": deep, "wide": wide, "inside": Or(Not(Contains("a", struct{}{}))),
		"array that writes itself": Eq("a", json.RawMessage(`[1]`)), "not UTF-8": Exists("a\xff"),
		"NaN as a literal": Gt("a", json.Number("NaN")), "infinite literal": Lt("a", json.Number("-Inf")), "hexadecimal literal": Eq("a", json.Number("0x1p4")),
		"plus": Eq("a", json.Number("+5")), "zeros": In("a", json.Number("05")), "space": Eq("a", json.Number("5 ")), "out of range": Gt("a", json.Number("1e400")),
	} {
		require.ErrorIs(t, Check(f), ErrInvalid, name)
		_, err := Compile(f)
		require.ErrorIs(t, err, ErrInvalid, name)
	}
	require.NoError(t, Check(Eq("a", math.Inf(1))))
	require.NoError(t, Check(And()))
}

func TestMatchAllocatesNothing(t *testing.T) {
	p, err := Compile(And(Eq("section", "7"), Gte("words", 50), Lt("words", 90), Not(In("package", "gcc", "bash")), Contains("tags", "x")))
	require.NoError(t, err)
	payload := []byte(`{"format":"man","package":"coreutils","section":"7","tags":["a","x"],"title":"a title","words":77}`)
	var s Scratch
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if ok, err := p.Match(payload, &s); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}))
}

func TestFactsAreWhatAnIndexNeeds(t *testing.T) {
	var s Scratch
	p := NewPaths([]string{"a", "a.b", "list", "none", "n"})
	facts, err := p.Facts([]byte(`{"a":{"b":"x"},"list":[1,"y",[2],null],"n":null}`), &s, nil)
	require.NoError(t, err)
	num := func(i int64) Value { return Value{Kind: Num, Num: Int(i)} }
	require.Equal(t, Fact{There: true}, facts[0])
	require.Equal(t, Fact{There: true, Value: Value{Kind: String, Str: "x"}}, facts[1])
	require.Equal(t, Fact{There: true, Elements: []Value{num(1), {Kind: String, Str: "y"}, {Kind: Null}}}, facts[2])
	require.Equal(t, Fact{}, facts[3])
	require.Equal(t, Fact{There: true, Value: Value{Kind: Null}}, facts[4])
	facts, err = p.Facts(nil, &s, facts)
	require.NoError(t, err)
	require.False(t, slices.ContainsFunc(facts, func(f Fact) bool { return f.There }))
}

func TestE10_NamesThatAreThereTwiceAndDeepNestingAreFound(t *testing.T) {
	require.NoError(t, CheckNested([]byte(`{"a":{"a":1},"b":[{"a":1},{"a":2}]}`), 3))
	require.Error(t, CheckNested([]byte(`{"a":{"a":1},"b":[{"a":1},{"a":2}]}`), 2))
	for _, bad := range []string{`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"x":[{"a":1,"b":2,"a":1}]}`} {
		require.ErrorIs(t, CheckNested([]byte(bad), 9), errTwice, bad)
	}
}

// A filter that somebody else wrote may name as many fields as there are conditions:
// neither compiling it nor a look at a payload takes a step per pair of names.
func TestI3_AFilterOverVeryManyFieldsIsCompiledAndDecided(t *testing.T) {
	var fs []Filter
	for i := range maxConditions - 1 {
		fs = append(fs, Eq(fmt.Sprintf("f%05d.x%d", i, i%7), i))
	}
	p, err := Compile(Or(fs...))
	require.NoError(t, err)
	var s Scratch
	for i, want := range map[int]bool{0: true, 17: true, maxConditions - 2: true, maxConditions: false} {
		got, err := p.Match(fmt.Appendf(nil, `{"f%05d":{"x%d":%d}}`, i, i%7, i), &s)
		require.NoError(t, err)
		require.Equal(t, want, got, i)
	}
	require.True(t, p.paths.root.sorted())
}

// sorted reports whether all names can be looked up by halving.
func (n *name) sorted() bool {
	return slices.IsSortedFunc(n.kids, byText) && !slices.ContainsFunc(n.kids, func(k *name) bool { return !k.sorted() })
}

func BenchmarkMatch(b *testing.B) {
	p, err := Compile(And(Eq("section", "7"), Gte("words", 50), Lt("words", 90), Not(In("package", "gcc", "bash"))))
	require.NoError(b, err)
	payload := []byte(`{"format":"man","package":"coreutils","section":"7","title":"a title of some words","words":77}`)
	var s Scratch
	for b.Loop() {
		if ok, err := p.Match(payload, &s); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
