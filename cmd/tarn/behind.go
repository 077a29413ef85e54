package main

import "github.com/tarndb/tarn"

// fewBehind is how many points may always be beside the graph without anybody waiting.
const fewBehind = 2_048

// behind finds out whether a stream waits for the indexer: no more points may be beside
// the graph, and there is room for new ones as fast as the graph takes those.
type behind struct {
	was   tarn.StreamStats
	delta int
	waits int // looks in a row
}

// look is told of each second, and reports whether the stream waited in it and in the one
// before. What is queued would then take longer than half a second to write, though the
// disk is not what it waits for: more is beside the graph than was written, and that does
// not become more as it does while there is room.
func (b *behind) look(now tarn.Stats) bool {
	s, written := now.Stream, int(now.Stream.Written-b.was.Written)
	held := s.Queued > written/2 && s.LastError == nil
	full := now.InDelta > max(fewBehind, written) && now.InDelta-b.delta <= written/2
	if b.waits++; !held || !full {
		b.waits = 0
	}
	b.was, b.delta = s, now.InDelta
	return b.waits >= 2
}
