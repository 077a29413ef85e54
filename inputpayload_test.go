package tarn_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

func TestE09_AnOversizedPayloadIsRefusedBeforeAnyWrite(t *testing.T) {
	c, db, path := newCollection(t, tarn.CollectionConfig{Dim: 2, Streaming: quick}, &tarn.Options{MaxPayload: 100})
	fits := tarn.Payload{"a": strings.Repeat("x", 100-len(`{"a":""}`))}
	large := tarn.Payload{"a": strings.Repeat("x", 101-len(`{"a":""}`))}
	everyDoor(t, c, func(t *testing.T, enter func(p tarn.Point) error) {
		err := enter(tarn.Point{ID: 1, Vector: []float32{1, 2}, Payload: large})
		require.ErrorIs(t, err, tarn.ErrTooLarge)
		var named *tarn.InvalidPointError
		require.ErrorAs(t, err, &named)
	})
	require.Zero(t, c.Stats().AppliedLSN)
	everyDoor(t, c, func(t *testing.T, enter func(p tarn.Point) error) {
		require.NoError(t, enter(tarn.Point{ID: 1, Vector: []float32{1, 2}, Payload: fits}))
	})
	c, _ = reopen(t, db, path, &tarn.Options{MaxPayload: 10})
	requirePoint(t, c, tarn.Point{ID: 1, Vector: []float32{1, 2}, Payload: fits})
	big := tarn.Payload{"a": strings.Repeat("<", 64<<20)}
	err := c.Upsert(ctx, tarn.Point{ID: 2, Vector: []float32{1, 2}, Payload: big})
	require.ErrorIs(t, err, tarn.ErrTooLarge)
}

// hugePayload returns a payload of n bytes as JSON.
func hugePayload(n int) tarn.Payload {
	return tarn.Payload{"a": strings.Repeat("x", n-len(`{"a":""}`))}
}

func TestE09_WhatIsTooLargeForARecordIsRefusedAtTheDoorAndTheStreamLives(t *testing.T) {
	c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: 2, Streaming: quick}, &tarn.Options{MaxPayload: 1 << 30})
	s, err := c.Stream()
	require.NoError(t, err)
	const record, op = 64 << 20, 24 + 2*4
	refused := 0
	for _, over := range []int{1, 0, -5, -6, -64} { // about what fits the queue, about what fits a record
		p := tarn.Point{ID: 1, Vector: []float32{1, 2}, Payload: hugePayload(record - op + over)}
		err := settled(s.TrySend(p))
		if err != nil {
			require.ErrorIs(t, err, tarn.ErrTooLarge, "%d", over)
			require.NotErrorIs(t, err, tarn.ErrStreamDead, "%d", over)
			refused++
		}
		if over == -64 {
			require.NoError(t, err)
		}
	}
	require.GreaterOrEqual(t, refused, 1)
	waitAll(t, send(t, s, tarn.Point{ID: 2, Vector: []float32{1, 2}}))
	require.Equal(t, 2, c.Len())
}

// badText writes itself as a text that is not UTF-8.
type badText struct{}

func (badText) MarshalText() ([]byte, error) { return []byte("\xff"), nil }

func TestE10_PayloadsAreJSONObjectsOrRefused(t *testing.T) {
	nested := func(depth int) any {
		var v any = "leaf"
		for range depth {
			v = []any{v}
		}
		return v
	}
	loop := map[string]any{}
	loop["self"] = loop
	refused := map[string]tarn.Payload{
		"a NaN":                     {"a": math.NaN()},
		"an infinity, deep":         {"a": []any{map[string]any{"b": math.Inf(-1)}}},
		"a channel":                 {"a": make(chan int)},
		"a function":                {"a": func() {}},
		"invalid UTF-8":             {"a": "\xff\xfe"},
		"invalid UTF-8 in a key":    {"\xc3\x28": 1},
		"invalid UTF-8, deep":       {"a": []string{"ok", "\x80"}},
		"invalid UTF-8 in a struct": {"a": struct{ B string }{"\xff"}},
		"nested 10 000 deep":        {"a": nested(10_000)},
		"a loop":                    {"a": loop},
		"a number that is none":     {"a": json.Number("1e999x")},
		"a raw value that is none":  {"a": json.RawMessage(`{"x":`)},
		"a raw value too deep":      {"a": json.RawMessage(strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000))},
		"a raw number too large":    {"a": json.RawMessage("1e999")},
		"a json.Number too large":   {"a": json.Number("-1e999")},
		"raw invalid UTF-8":         {"a": json.RawMessage("\"\xff\"")},
		"invalid UTF-8 as a text":   {"a": badText{}},
		"invalid UTF-8, a text key": {"a": map[badText]int{{}: 1}},
		"invalid UTF-8, embedded":   {"a": embedding{hidden{"\xff"}}},
	}
	c, _, _ := newCollection(t, tarn.CollectionConfig{Dim: 2, Streaming: quick}, nil)
	v := []float32{1, 2}
	for name, payload := range refused {
		t.Run(name, func(t *testing.T) {
			everyDoor(t, c, func(t *testing.T, enter func(p tarn.Point) error) {
				require.ErrorIs(t, enter(tarn.Point{ID: 1, Vector: v, Payload: payload}), tarn.ErrInvalidPoint)
			})
		})
	}
	require.Zero(t, c.Len())
	require.Zero(t, c.Stats().AppliedLSN)
}

func TestE10_WhatAPayloadComesBackAs(t *testing.T) {
	big := uint64(math.MaxUint64)
	given := tarn.Payload{
		"int": 1, "int64": int64(math.MinInt64), "uint64": big, "float": 1.5, "whole": 1.0, "large": 1e300, "tiny": 5e-324,
		"float32": float32(0.1), "minus": math.Copysign(0, -1), "bool": true, "null": nil, "text": "äöü <&> \u2028 \x00 😀", "": "empty key",
		"array": []any{1, "b", nil, []int{}}, "object": map[string]any{"x": map[string]string{"y": "z"}},
		"struct": struct {
			A int `json:"a"`
		}{3}, "raw": json.RawMessage(` {"k" : [1, 2.0 ]} `), "bytes": []byte("hi"), "number": json.Number("12345678901234567890123"),
	}
	want := tarn.Payload{
		"int": int64(1), "int64": int64(math.MinInt64), "uint64": big, "float": 1.5, "whole": int64(1), "large": 1e300, "tiny": 5e-324,
		"float32": 0.1, "minus": int64(0), "bool": true, "null": nil, "text": "äöü <&> \u2028 \x00 😀", "": "empty key",
		"array": []any{int64(1), "b", nil, []any{}}, "object": map[string]any{"x": map[string]any{"y": "z"}},
		"struct": map[string]any{"a": int64(3)}, "raw": map[string]any{"k": []any{int64(1), 2.0}}, "bytes": "aGk=", "number": 12345678901234567890123.0,
	}
	c, db, path := newCollection(t, tarn.CollectionConfig{Dim: 2, Streaming: quick}, nil)
	v := []float32{1, 2}
	everyDoor(t, c, func(t *testing.T, enter func(p tarn.Point) error) {
		require.NoError(t, enter(tarn.Point{ID: 1, Vector: v, Payload: given}))
		requirePoint(t, c, tarn.Point{ID: 1, Vector: v, Payload: want})
	})
	require.NoError(t, c.Upsert(ctx, tarn.Point{ID: 2, Vector: v, Payload: tarn.Payload{}}, tarn.Point{ID: 3, Vector: v}))
	for range 3 {
		got, err := c.Get(ctx, 1)
		require.NoError(t, err)
		require.Equal(t, want, got.Payload)
		got, err = c.Get(ctx, 2)
		require.NoError(t, err)
		require.Equal(t, tarn.Payload{}, got.Payload, "empty is not none")
		got, err = c.Get(ctx, 3)
		require.NoError(t, err)
		require.Nil(t, got.Payload)
		near, err := c.Search(ctx, v, 3)
		require.NoError(t, err)
		require.Equal(t, []tarn.Payload{want, {}, nil}, []tarn.Payload{near[0].Payload, near[1].Payload, near[2].Payload})
		near, err = c.Search(ctx, v, 3, tarn.WithoutPayload())
		require.NoError(t, err)
		require.Nil(t, near[0].Payload)
		c, db = reopen(t, db, path, nil)
	}
}
