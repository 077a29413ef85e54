package collection

import (
	"sync"

	"github.com/tarndb/tarn/internal/codec"
	"github.com/tarndb/tarn/internal/vfs"
)

// spareBytes bounds the vectors that a stream keeps for the next points: about as many
// as a flush under a backlog brings back.
const spareBytes = 4 << 20

// spares are the copies of vectors that a stream has written and may fill again, so
// that a stream under way makes no garbage of them.
type spares struct {
	mu   sync.Mutex
	free [][]float32
}

// clone returns a copy of v. All vectors of a stream are of one length.
func (s *spares) clone(v []float32) []float32 {
	s.mu.Lock()
	var into []float32
	if n := len(s.free); n > 0 {
		into, s.free = s.free[n-1], s.free[:n-1]
	}
	s.mu.Unlock()
	return append(into[:0], v...)
}

// put takes the vectors of items that nobody uses any more.
func (s *spares) put(items []item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range items {
		v := items[i].op.vector
		if v == nil {
			continue
		}
		if (len(s.free)+1)*4*len(v) > spareBytes {
			return
		}
		s.free = append(s.free, v)
	}
}

// newUpsert copies the vector of p, and validates and sums up the copy, which is in the
// processor's cache then and nobody else's to change.
func (s *Stream) newUpsert(p *Point) (op, error) {
	own := *p
	fits := len(p.Vector) == s.c.config.Dim
	if fits {
		own.Vector = s.spares.clone(p.Vector)
	}
	o, err := s.c.newOp(&own)
	if err != nil {
		if fits {
			s.spares.put([]item{{op: op{vector: own.Vector}}})
		}
		return op{}, err
	}
	if raw, ok := vfs.Bytes(o.vector); ok {
		o.sum = codec.SumOf(raw)
	}
	return o, nil
}
