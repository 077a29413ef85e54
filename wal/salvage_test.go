package wal

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/codec"
)

func TestSalvageTakesNoRecordThatTheNextSegmentHasAnew(t *testing.T) {
	opts := small()
	mem := written(t, 200, opts)
	segs, _, err := listSegments(mem)
	require.NoError(t, err)
	require.Greater(t, len(segs), 2)

	// A segment that was given up behind a failed write may still hold that write.
	b := bytesOf(t, mem, segs[0].name)
	h, err := decodeHeader(b[:headerBlock], opts.UUID)
	require.NoError(t, err)
	end := headerBlock
	for end+frameHead <= len(b) {
		f, ok := decodeHead(b[end:end+frameHead], h.seed)
		if !ok {
			break
		}
		end += int(frameSize(f.length))
	}
	text := []byte("given up")
	b = append(b[:end], headSpace[:]...)
	putHead(b[end:], h.seed, frame{lsn: segs[1].first, kind: 1, length: len(text), sum: codec.CRCUpdate(h.seed, text)})
	setBytes(t, mem, segs[0].name, append(append(b, text...), frameTail(len(text))...))

	next := uint64(1)
	sum, err := Salvage(t.Context(), mem, opts.UUID, 0, func(r Record) error {
		require.Equal(t, next, r.LSN)
		require.Equal(t, payloadOf(r.LSN), r.Payload)
		next++
		return nil
	}, func(f Finding) { t.Errorf("%+v", f) })
	require.NoError(t, err)
	require.EqualValues(t, 201, next)
	require.Zero(t, sum)
}
