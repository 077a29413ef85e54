package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/codec"
)

type block struct {
	kind uint8
	data []byte
}

var uuid = [16]byte{1, 2, 3}

// sample has an empty block, one that shrinks and one that does not.
func sample() []block {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 300)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	return []block{{1, []byte{}}, {7, bytes.Repeat([]byte("a small lake. "), 40)}, {255, noise}}
}

func pack(t testing.TB, blocks []block) []byte {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out, uuid)
	for _, b := range blocks {
		require.NoError(t, w.Write(b.kind, b.data))
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

func unpack(r io.Reader) ([]block, error) {
	a, err := NewReader(r)
	if err != nil {
		return nil, err
	}
	var blocks []block
	for {
		kind, data, err := a.Next()
		if err == io.EOF {
			return blocks, nil
		}
		if err != nil {
			return blocks, err
		}
		blocks = append(blocks, block{kind, bytes.Clone(data)})
	}
}

func TestWhatWasWrittenIsRead(t *testing.T) {
	data := pack(t, sample())
	for name, r := range map[string]io.Reader{
		"at once": bytes.NewReader(data), "byte by byte": iotest.OneByteReader(bytes.NewReader(data)),
	} {
		got, err := unpack(r)
		require.NoError(t, err, name)
		require.Len(t, got, 3)
		for i, want := range sample() {
			assert.Equal(t, want.kind, got[i].kind)
			assert.True(t, bytes.Equal(want.data, got[i].data), name)
		}
	}
	empty, err := unpack(bytes.NewReader(pack(t, nil)))
	require.NoError(t, err)
	assert.Empty(t, empty)
}

func TestI1_EveryFlippedBitIsSeen(t *testing.T) {
	data := pack(t, sample())
	for bit := range len(data) * 8 {
		damaged := bytes.Clone(data)
		damaged[bit/8] ^= 1 << (bit % 8)
		_, err := unpack(bytes.NewReader(damaged))
		if !errors.Is(err, codec.ErrCorrupt) && !errors.Is(err, codec.ErrVersion) {
			t.Fatalf("bit %d of byte %d: %v", bit%8, bit/8, err)
		}
	}
}

func TestI2_ACutAnywhereIsSeen(t *testing.T) {
	data := pack(t, sample())
	for n := range data {
		_, err := unpack(bytes.NewReader(data[:n]))
		require.ErrorIs(t, err, codec.ErrCorrupt, "%d of %d bytes", n, len(data))
		require.Equal(t, n < codec.HeaderSize, strings.Contains(err.Error(), "the header alone has"), err)
	}
	_, err := unpack(bytes.NewReader(append(bytes.Clone(data), 0)))
	require.ErrorIs(t, err, codec.ErrCorrupt)
	assert.ErrorContains(t, err, "after the end")
}

func TestABlockStaysWhileTheNextIsRead(t *testing.T) {
	var blocks []block // of one size, stored as they are and packed
	for i := range byte(4) {
		blocks = append(blocks, block{1, []byte{i, 1, 2, i}}, block{1, bytes.Repeat([]byte{i}, 1000)}, block{1, bytes.Repeat([]byte{^i}, 1000)})
	}
	a, err := NewReader(bytes.NewReader(pack(t, blocks)))
	require.NoError(t, err)
	_, before, err := a.Next()
	require.NoError(t, err)
	for i := 1; i < len(blocks); i++ {
		_, data, err := a.Next()
		require.NoError(t, err)
		require.Equal(t, blocks[i-1].data, append([]byte{}, before...), "block %d", i-1)
		before = data
	}
}

func TestI1_BlocksMayNotMoveDoubleOrVanish(t *testing.T) {
	same := []block{{1, []byte("one")}, {1, []byte("two")}}
	data := pack(t, same)
	at := func(i int) []byte { return data[codec.HeaderSize+i*19 : codec.HeaderSize+(i+1)*19] }
	head, end := data[:codec.HeaderSize], data[codec.HeaderSize+2*19:]
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	_, err := unpack(bytes.NewReader(join(head, at(0), at(1), end)))
	require.NoError(t, err)
	for name, bad := range map[string][]byte{
		"swapped": join(head, at(1), at(0), end), "doubled": join(head, at(0), at(0), at(1), end),
		"first is missing": join(head, at(1), end), "last is missing": join(head, at(0), end),
		"of another archive": join(codec.Header{Magic: magic, Version: version, UUID: [16]byte{9}}.AppendTo(nil), at(0), at(1), end),
	} {
		_, err := unpack(bytes.NewReader(bad))
		assert.ErrorIs(t, err, codec.ErrCorrupt, name)
	}
}

func TestANewerVersionIsSaid(t *testing.T) {
	_, err := unpack(bytes.NewReader(codec.Header{Magic: magic, Version: version + 1}.AppendTo(nil)))
	assert.ErrorIs(t, err, codec.ErrVersion)
}

func TestI3_ALengthThatLiesAllocatesLittle(t *testing.T) {
	data := codec.Header{Magic: magic, Version: version, UUID: uuid}.AppendTo(nil)
	h := head{kind: 1, form: formPlain, length: MaxBlock, stored: MaxBlock}
	var b [headSize]byte
	h.encode(b[:])
	data = append(append(data, b[:]...), make([]byte, 100)...)
	perRun := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err := unpack(bytes.NewReader(data))
			require.ErrorIs(b, err, codec.ErrCorrupt)
		}
	}).AllocedBytesPerOp()
	assert.Less(t, perRun, int64(2*readPiece))
}

func TestErrorsOfReadingAndWritingComeThrough(t *testing.T) {
	boom := errors.New("boom")
	_, err := unpack(io.MultiReader(bytes.NewReader(pack(t, sample())[:100]), iotest.ErrReader(boom)))
	require.ErrorIs(t, err, boom)
	assert.NotErrorIs(t, err, codec.ErrCorrupt)

	w := NewWriter(failing{boom}, uuid)
	require.ErrorIs(t, w.Write(1, nil), boom)
	require.ErrorIs(t, w.Write(1, nil), boom)
	require.ErrorIs(t, w.Close(), boom)
	w = NewWriter(short{}, uuid)
	require.ErrorIs(t, w.Write(1, []byte("abc")), io.ErrShortWrite)
	require.Error(t, NewWriter(io.Discard, uuid).Write(kindEnd, nil))
	w = NewWriter(io.Discard, uuid)
	require.NoError(t, w.Close())
	require.Error(t, w.Write(1, nil))
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

type short struct{}

func (short) Write(p []byte) (int, error) { return len(p) - 1, nil }

func FuzzReader(f *testing.F) {
	data := pack(f, sample())
	f.Add(data)
	f.Add(data[:len(data)-1])
	f.Add(pack(f, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		blocks, err := unpack(bytes.NewReader(data))
		if err != nil {
			return
		}
		again, err := unpack(bytes.NewReader(pack(t, blocks)))
		require.NoError(t, err)
		require.Equal(t, blocks, again)
	})
}

// BenchmarkBlocks compares s2 with zstd, by the bytes that go in: random
// directions are what embeddings look like to a compressor, text is payloads.
func BenchmarkBlocks(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	vectors := make([]byte, 0, 1<<20)
	for len(vectors) < 1<<20 {
		vectors = binary.LittleEndian.AppendUint32(vectors, math.Float32bits(float32(r.NormFloat64())))
	}
	words := []string{`{"title":"`, "lake ", "stream ", "mountain ", "fed by ", `","year":`, "2026}", "1987}"}
	var text []byte
	for len(text) < 1<<20 {
		text = append(text, words[r.IntN(len(words))]...)
	}
	fast, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	require.NoError(b, err)
	for name, data := range map[string][]byte{"vectors": vectors, "payloads": text} {
		b.Run("s2/"+name, func(b *testing.B) {
			var n counter
			w := NewWriter(&n, uuid)
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				require.NoError(b, w.Write(1, data))
			}
			b.ReportMetric(float64(n)/float64(w.bytes), "stored/raw")
		})
		b.Run("zstd/"+name, func(b *testing.B) {
			var buf []byte
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				buf = fast.EncodeAll(data, buf[:0])
			}
			b.ReportMetric(float64(len(buf))/float64(len(data)), "stored/raw")
		})
	}
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }
