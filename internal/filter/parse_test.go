package filter

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheJSONFormMeansWhatItSays(t *testing.T) {
	doc := []byte(`{"lang":"go","year":2024,"tags":["db","go"],"a":{"b":null}}`)
	var s Scratch
	for text, want := range map[string]bool{
		`{}`: true, `{"$and":[]}`: true, `{"$or":[]}`: false, `{"$not":{}}`: false,
		`{"lang":"go","year":{"$gte":2020,"$lt":2030},"$or":[{"a.b":null},{"x":1}]}`: true,
		`{"lang":"go","year":{"$gte":2020,"$lt":2024}}`:                              false,
		`{"year":2024.0}`: true, `{"year":"2024"}`: false, `{"year":{"$in":[1,2024]}}`: true, `{"year":{"$in":[]}}`: false,
		`{"tags":{"$contains":"db"}}`: true, `{"tags":"db"}`: false, `{"a.b":null}`: true, `{"a.c":null}`: false,
		`{"a.c":{"$exists":false}}`: true, `{"a.b":{"$exists":true}}`: true, `{"$not":{"x":{"$lt":5}}}`: true,
		" {\n} ": true,
	} {
		f, err := Parse([]byte(text))
		require.NoError(t, err, text)
		p, err := Compile(f)
		require.NoError(t, err)
		got, err := p.Match(doc, &s)
		require.NoError(t, err)
		require.Equal(t, want, got, text)
	}
}

func TestEverythingElseIsRefusedWithItsPlace(t *testing.T) {
	for text, says := range map[string]string{
		``:                                    "ends too early",
		`{`:                                   "ends too early",
		`[]`:                                  "a filter is an object, this is an array",
		`"x"`:                                 "this is a string",
		`null`:                                "this is null",
		`{} {}`:                               "something follows",
		`{"a":1,}`:                            "invalid character",
		`{"a":1,"a":2}`:                       "a (offset 10): the name is there twice",
		`{"$nor":[]}`:                         "$nor (offset 9): there is no such operator here",
		`{"a":{"$regex":"x"}}`:                "a / $regex (offset 18): there is no such operator on a field",
		`{"a":{"b":1}}`:                       "a / b (offset 11): there is no such operator on a field",
		`{"a":{}}`:                            "an operator is expected",
		`{"a":[1]}`:                           "not an array",
		`{"a":{"$in":1}}`:                     "a / $in (offset 13): an array of values is expected, not a number",
		`{"a":{"$in":[[1]]}}`:                 "a / $in[0] (offset 14): a string",
		`{"a":{"$lt":{}}}`:                    "not an object",
		`{"a":{"$exists":1}}`:                 "true or false is expected, not a number",
		`{"$and":{}}`:                         "an array of filters is expected",
		`{"$or":[{"a":1},{"b":{"$gt":[]}}]}`:  "$or[1] / b / $gt",
		`{"$or":[1]}`:                         "$or[0] (offset 9): a filter is an object",
		`{"$not":[]}`:                         "$not (offset 9): a filter is an object",
		`{"":1}`:                              "has no name",
		`{"a..b":1}`:                          "part without a name",
		`{"a":1e999}`:                         "out of range",
		"{\"a\":\"\xff\"}":                    "not UTF-8",
		strings.Repeat(`{"$not":`, 33) + `{}`: "nested deeper",
		strings.Repeat(`{"$or":[`, 1_000_000): "nested deeper",
		`{"` + strings.Repeat("x", 900) + `":{"$zz":1}}`: "xxx... / $zz",
	} {
		_, err := Parse([]byte(text))
		require.ErrorIs(t, err, ErrInvalid, text)
		require.ErrorContains(t, err, says)
		require.Less(t, len(err.Error()), 400)
	}
}

// FuzzParseFilter: whatever comes in is refused, or is JSON and a filter that agrees
// with the naive evaluator.
func FuzzParseFilter(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"lang":"go","year":{"$gte":2020,"$lt":2030},"$or":[{"a":1},{"b":null}]}`, `{"a.b":{"$in":[1,"x",true,null,1e3]}}`,
		`{"$not":{"tags":{"$contains":"x"}},"z":{"$exists":false}}`, `{"$and":[{"a":{"$lt":18446744073709551615}}]}`, `{"a":{"$eq":"\u00e4\""}}`,
	} {
		f.Add([]byte(text), []byte(`{"lang":"go","year":2024,"tags":["x",1],"a":{"b":null},"list":[{"a":1}]}`))
	}
	f.Fuzz(func(t *testing.T, text, doc []byte) {
		filter, err := Parse(text)
		if err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		require.True(t, json.Valid(text))
		p, err := Compile(filter)
		require.NoError(t, err)
		var s Scratch
		got, err := p.Match(doc, &s)
		if CheckNested(doc, 64) != nil || !json.Valid(doc) || decode(doc) == nil {
			return // no payload that the door lets in; it only must not panic
		}
		require.NoError(t, err)
		require.Equal(t, condOf(filter.node()).holds(decode(doc)), got, "%s on %s", text, doc)
	})
}

// condOf turns a tree into what the naive evaluator reads. Numbers are compared as
// the package does, which other tests compare with exact arithmetic.
func condOf(n *Node) cond {
	c := cond{op: n.Op.String(), field: n.Field}
	for _, v := range n.Values {
		switch v.Kind {
		case Null:
			c.vals = append(c.vals, nil)
		case Bool:
			c.vals = append(c.vals, v.Bool)
		case String:
			c.vals = append(c.vals, v.Str)
		case Num:
			c.vals = append(c.vals, literal(v.Num))
		}
	}
	for _, k := range n.Kids {
		c.kids = append(c.kids, condOf(k))
	}
	return c
}
