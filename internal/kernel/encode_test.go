package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCodeRowsAreTheSameBytesOnEveryTier(t *testing.T) {
	r := newRand(12)
	chosen := active
	defer func() { active = chosen }()
	for _, dim := range someDims() {
		for i, s := range shapes {
			m, v := metrics[(dim+i)%3], draw(r, s, 1, dim)[0]
			var want []byte
			for _, a := range availableTiers() {
				active = a
				got := make([]byte, CodeStride(dim))
				EncodeCode(m, v, got)
				if want == nil {
					want = got
				}
				require.Equal(t, want, got, "%v %v dim %d %s", a, m, dim, s.name)
				var q Query
				q.Set(m, v)
				require.Equal(t, want, q.row, "query, %v %v dim %d %s", a, m, dim, s.name)
			}
		}
	}
}

func TestTheSquaresOfAsManyLargeCodesAsThereMayBeDoNotOverflow(t *testing.T) {
	chosen := active
	defer func() { active = chosen }()
	codes := make([]byte, 1<<20+77)
	sum := int32(0)
	for i := range codes {
		codes[i] = 0x80
		sum -= 128
	}
	for _, a := range availableTiers() {
		active = a
		require.Equal(t, int64(len(codes))*(128+3)*(128+3), codeSquares(codes, 3, sum), "%v", a)
	}
}
