package collection

import "sync"

// spareBytes bounds the vectors that a stream keeps for the next points: about as many
// as a flush under a backlog brings back.
const spareBytes = 4 << 20

// spares are the copies of vectors that a stream has written and may fill again, so
// that a stream under way makes no garbage of them.
type spares struct {
	mu   sync.Mutex
	free [][]float32
}

// clone returns a copy of v, nil for nil. All vectors of a stream are of one length.
func (s *spares) clone(v []float32) []float32 {
	if v == nil {
		return nil
	}
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
