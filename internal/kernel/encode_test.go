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
