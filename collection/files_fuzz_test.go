package collection

import (
	"encoding/binary"
	"encoding/json"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/attr"
	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/filter"
)

// fieldsBody is what stands between header and checksum of a file of two indexes.
func fieldsBody(t testing.TB) []byte {
	t.Helper()
	keep := roaring.New()
	keep.AddRange(0, 200)
	body := binary.LittleEndian.AppendUint64(nil, 77)
	body = attr.AppendSlots(body, keep)
	body = binary.LittleEndian.AppendUint32(body, 2)
	for _, path := range []string{"a", "b.c"} {
		x := attr.New()
		var s filter.Scratch
		for slot, v := range []any{true, nil, 1.5, "word", []any{1, "x"}, 1e300} {
			data, err := json.Marshal(map[string]any{"a": v, "b": map[string]any{"c": v}})
			require.NoError(t, err)
			facts, err := filter.NewPaths([]string{path}).Facts(data, &s, nil)
			require.NoError(t, err)
			for i := range uint32(40) {
				x.Add(uint32(slot)+6*i%200, &facts[0])
			}
		}
		var at attr.Place
		body = append(binary.AppendUvarint(body, uint64(len(path))), path...)
		body, _ = x.Encode(body, &at, 1<<30, keep)
	}
	return body
}

// FuzzFieldsFile reads fields.idx behind a header and a checksum that are right.
func FuzzFieldsFile(f *testing.F) {
	whole := fieldsBody(f)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte{})
	f.Add(append(make([]byte, 8), 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff))
	f.Fuzz(func(t *testing.T, body []byte) {
		data := codec.Header{Magic: fieldsMagic, Version: fieldsVersion, UUID: [16]byte{1}}.AppendTo(nil)
		data = append(data, body...)
		data = binary.LittleEndian.AppendUint32(data, codec.CRC(data))
		r, _, slots, err := parseFields(data, [16]byte{1})
		if err != nil {
			require.ErrorIs(t, err, codec.ErrCorrupt)
			return
		}
		_, err = readFields(r, slots, func() error { return nil })
		if err != nil {
			require.ErrorIs(t, err, codec.ErrCorrupt)
		}
	})
}

// FuzzLeftFile reads graph-N.left behind a header, and before a checksum, that are right.
func FuzzLeftFile(f *testing.F) {
	whole := encodeLeft(7, [16]byte{1}, bitmapOf(1, 2, 1<<32-2))
	f.Add(whole[codec.HeaderSize : len(whole)-4])
	f.Add(whole[codec.HeaderSize : len(whole)-5])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		data := codec.Header{Magic: leftMagic, Version: leftVersion, UUID: [16]byte{1}}.AppendTo(nil)
		data = append(data, body...)
		data = binary.LittleEndian.AppendUint32(data, codec.CRC(data))
		slots, err := parseLeft(data, 7, [16]byte{1})
		if err != nil {
			require.ErrorIs(t, err, codec.ErrCorrupt)
			return
		}
		require.Equal(t, body[4:], slots)
		require.Zero(t, len(slots)%4)
	})
}

// FuzzSplitBlob reads what is stored with a point.
func FuzzSplitBlob(f *testing.F) {
	for _, o := range []op{{payload: []byte(`{"a":1}`)}, {key: "k"}, {key: "k", payload: []byte(`{}`)}} {
		f.Add(o.blob())
	}
	f.Add([]byte{0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		key, payload, err := splitBlob(StringKeys, data)
		if err != nil {
			require.ErrorIs(t, err, codec.ErrCorrupt)
			return
		}
		require.LessOrEqual(t, len(key)+len(payload), len(data))
	})
}

// FuzzStreamingConfig reads a stream's configuration, which comes back as it was.
func FuzzStreamingConfig(f *testing.F) {
	f.Add([]byte(`{"buffer_size":1,"batch_size":2,"flush_interval_ms":3}`))
	f.Add([]byte(`{"flush_interval_ms":-1}`))
	f.Add([]byte(`{"flush_interval_ms":9223372036854775807}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var c, back StreamingConfig
		if json.Unmarshal(data, &c) != nil {
			return
		}
		again, err := json.Marshal(c)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(again, &back))
		require.Equal(t, c, back)
	})
}
