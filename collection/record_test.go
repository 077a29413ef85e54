package collection

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tarndb/tarn/internal/codec"
)

func drawRecord(t *rapid.T, dim int) *record {
	r := &record{ops: []op{}}
	if rapid.Bool().Draw(t, "has position") {
		r.pos = &position{rapid.StringN(1, 20, -1).Draw(t, "source"), rapid.Uint64().Draw(t, "offset")}
	}
	for range rapid.IntRange(0, 5).Draw(t, "ops") {
		o := op{id: rapid.Uint64().Draw(t, "id"), old: rapid.Uint32().Draw(t, "old"), slot: noSlot}
		if rapid.Bool().Draw(t, "upsert") {
			o.slot = rapid.Uint32Range(0, noSlot-1).Draw(t, "slot")
			o.vector = rapid.SliceOfN(rapid.Float32(), dim, dim).Draw(t, "vector")
			if rapid.Bool().Draw(t, "has payload") {
				o.payload = append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, "payload")...)
			}
		}
		r.ops = append(r.ops, o)
	}
	return r
}

func encodeRecord(r *record) []byte {
	var e encoder
	return slices.Concat(e.encode(r)...)
}

func TestARecordComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dim := rapid.IntRange(1, 9).Draw(t, "dim")
		r := drawRecord(t, dim)
		data := encodeRecord(r)
		require.Len(t, data, recordSize(r, dim))
		got, err := decodeRecord(data, dim)
		require.NoError(t, err)
		require.Equal(t, r, got)
	})
}

func TestC02_ARecordCutAnywhereIsCorrupt(t *testing.T) {
	r := &record{
		pos: &position{"source", 7},
		ops: []op{
			{id: 1, slot: 3, old: noSlot, vector: []float32{1, 2}, payload: []byte(`{"a":1}`)},
			{id: 2, slot: noSlot, old: 5},
			{id: 3, slot: 4, old: 9, vector: []float32{3, 4}},
		},
	}
	data := encodeRecord(r)
	for n := range len(data) {
		_, err := decodeRecord(data[:n], 2)
		require.ErrorIs(t, err, codec.ErrCorrupt, "cut at %d", n)
	}
	_, err := decodeRecord(append(bytes.Clone(data), 0), 2)
	require.ErrorIs(t, err, codec.ErrCorrupt)
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add(encodeRecord(&record{pos: &position{"s", 1}, ops: []op{{id: 1, slot: 0, old: noSlot, vector: []float32{1, 2}, payload: []byte("{}")}}}))
	f.Add(encodeRecord(&record{ops: []op{{id: 1, slot: noSlot, old: 0}}}))
	f.Add([]byte{255, 255, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeRecord(data, 2)
		if err != nil {
			return
		}
		for i := range r.ops {
			for _, x := range r.ops[i].vector {
				if math.IsNaN(float64(x)) {
					return // a NaN need not keep its bits
				}
			}
		}
		if !bytes.Equal(encodeRecord(r), data) {
			t.Fatal("a record that was accepted is written otherwise")
		}
	})
}

type twice map[string]any

func (twice) MarshalJSON() ([]byte, error) { return []byte(`{"a":1,"b":{"c":1,"c":2}}`), nil }

func TestE10_WhatValuesMakeOfThemselvesFollowsTheOneRule(t *testing.T) {
	nest := func(n int) json.RawMessage {
		return json.RawMessage(strings.Repeat("[", n) + strings.Repeat("]", n))
	}
	for name, v := range map[string]any{
		"a name twice": twice{}, "raw, a name twice": json.RawMessage(`{"x":1,"x":1}`), "the same, escaped": json.RawMessage(`{"x":1,"\u0078":1}`),
		"in an array": []any{json.RawMessage(`[{"x":1,"x":1}]`)}, "too deep": nest(64), "deep below deep": []any{[]any{nest(62)}},
		"10 000 deep": nest(10_000), "a number out of range": json.RawMessage(`1e999`), "not UTF-8": json.RawMessage("\"\xff\""),
	} {
		_, err := encodePayload(Payload{"v": v}, 1<<20)
		require.ErrorIs(t, err, ErrInvalidPoint, name)
	}
	_, err := encodePayload(Payload{"v": []any{[]any{nest(61)}}}, 1<<20)
	require.NoError(t, err)
}

func TestE09_APayloadThatIsTooLargeIsNotEvenEncoded(t *testing.T) {
	huge := strings.Repeat("x", 1<<20)
	many := make([]any, 2_000) // 2 GiB of JSON, of one string
	for i := range many {
		many[i] = huge
	}
	for _, p := range []Payload{{"v": many}, {"v": map[string]any{"w": many}}, {"v": huge}} {
		require.Less(t, testing.AllocsPerRun(3, func() {
			_, err := encodePayload(p, 1<<20)
			require.ErrorIs(t, err, ErrTooLarge)
		}), 50.0)
	}
}
