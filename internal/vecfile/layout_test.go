package vecfile

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn/internal/kernel"
)

func TestE19_SizesThatOverflowAreRefused(t *testing.T) {
	for _, c := range []struct {
		what         string
		rows, stride uint64
		limit        uint64
		want         uint64
		fits         bool
	}{
		{"a small file", 64, 1536, math.MaxInt32, 64*1536 + 4096, true},
		{"the largest file of 32 bits", 1, math.MaxInt32 - 4096, math.MaxInt32, math.MaxInt32, true},
		{"a byte more than 32 bits", 1, math.MaxInt32 - 4095, math.MaxInt32, math.MaxInt32 + 1, false},
		{"2^31 in 32 bits", 1 << 20, 1 << 11, math.MaxInt32, 1<<31 + 4096, false},
		{"2^32 in 64 bits", 1 << 20, 1 << 12, math.MaxInt64, 1<<32 + 4096, true},
		{"2^63", 1 << 31, 1 << 32, math.MaxInt64, 1<<63 + 4096, false},
		{"2^64", 1 << 32, 1 << 32, math.MaxUint64, 0, false},
		{"a carry", math.MaxUint64, 1, math.MaxUint64, 0, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			size, ok := fileSize(c.rows, c.stride, c.limit)
			require.Equal(t, c.fits, ok)
			if c.fits {
				require.Equal(t, c.want, size)
			}
		})
	}
	_, err := newLayout(65_536, kernel.L2, 1<<20, math.MaxInt32)
	require.Error(t, err, "256 GiB on a host of 32 bits")
	_, err = newLayout(65_536, kernel.L2, 64, math.MaxInt32)
	require.NoError(t, err)
}

func TestE02_E19_DimensionsAndChunksOutOfRangeAreRefused(t *testing.T) {
	for _, dim := range []int{math.MinInt, -1, 0, MaxDim + 1, math.MaxInt} {
		_, err := newLayout(dim, kernel.L2, 0, math.MaxInt64)
		require.Error(t, err, dim)
	}
	for _, slots := range []int{-64, 3, 63, 1 << 21, math.MaxInt} {
		_, err := newLayout(3, kernel.L2, slots, math.MaxInt64)
		require.Error(t, err, slots)
	}
}

func TestChunksAreOfAboutTheSameSizeForEveryDimension(t *testing.T) {
	for dim, want := range map[int]uint32{1: 65_536, 32: 65_536, 128: 16_384, 384: 4096, 768: 2048, 1536: 1024, 65_536: 64} {
		l, err := newLayout(dim, kernel.L2, 0, math.MaxInt64)
		require.NoError(t, err)
		require.Equal(t, want, l.slots(), "dimension %d", dim)
	}
}

func TestTheHighestSlotHasAPlace(t *testing.T) {
	l, err := newLayout(384, kernel.L2, 0, math.MaxInt64)
	require.NoError(t, err)
	top := uint32(math.MaxUint32)
	require.Equal(t, 1<<20-1, l.chunk(top))
	require.Equal(t, int(l.slots()-1), l.within(top))
	require.Equal(t, 1<<20, l.chunks(top))
	require.Equal(t, l.whole(vectors)-int64(l.stride[vectors]), l.offset(vectors, top))
}

func TestFilesGrowByExtentsThatDouble(t *testing.T) {
	whole := int64(8<<20 + 4096)
	var sizes []int64
	for size := int64(0); size < whole; {
		size = grown(size, size+1, whole)
		sizes = append(sizes, size)
	}
	if wholeFiles {
		require.Equal(t, []int64{whole}, sizes)
		return
	}
	require.Equal(t, []int64{16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20, 2 << 20, 3 << 20,
		4 << 20, 5 << 20, 6 << 20, 7 << 20, 8 << 20, whole}, sizes)
}
