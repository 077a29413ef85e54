package collection

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/codec"
)

func FuzzDecodeConfig(f *testing.F) {
	whole, err := encodeConfig(Config{Dim: 3, Metric: Cosine, Streaming: &StreamingConfig{BufferSize: 1, BatchSize: 1, FlushInterval: 1e6}})
	require.NoError(f, err)
	f.Add(whole)
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`{"version":1,"dim":-1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := decodeConfig(data)
		if err != nil {
			require.True(t, errors.Is(err, codec.ErrCorrupt) || errors.Is(err, codec.ErrVersion), "%v", err)
			return
		}
		again, err := encodeConfig(c)
		require.NoError(t, err)
		back, err := decodeConfig(again)
		require.NoError(t, err)
		require.Equal(t, c, back)
	})
}

func FuzzDecodePayload(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":[1.5,"x",null,{"c":true}]}`))
	f.Add([]byte(`{"a":1e999}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := decodePayload(data); err == nil && p != nil {
			_, _ = encodePayload(p, 1<<20) // neither may panic
		}
	})
}
