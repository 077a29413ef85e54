package collection

// courtesy is how a stream asks indexers to stand aside for a burst: writes go ten
// times as quickly as inserts into a graph, so what indexers do meanwhile hardly makes
// the delta smaller, but takes a processor from the burst. What is put off is owed:
//
//	points written while they stand aside ──> owed ──> slots indexed since
//	                                           │
//	 above what the delta holds, or with a delta that is nearly full, nobody stands aside
//
// So for bursts of any number and length indexing lags behind by no more than the delta
// holds, of a few points that are written again and again by one flush; and in a backlog
// without end indexers stand aside for no more points than they index. The goroutine that
// flushes owns it.
type courtesy struct {
	aside bool   // work stands aside for it
	owed  int    // points
	seen  uint64 // slots indexed when owed was counted last
}

// roomy is how many points a delta may hold that has room for more.
func (c *Collection) roomy() int { return c.opts.Knobs.DeltaLimit / 8 * 7 }

// count counts points that are about to be written.
func (s *courtesy) count(c *Collection, points int) {
	indexed := c.index.linked.Load()
	s.owed -= int(min(indexed-s.seen, uint64(s.owed)))
	s.seen = indexed
	waiting := c.view.Load().delta.Len()
	aside := c.check.burst.Load() && s.owed <= waiting && waiting+points <= c.roomy()
	if aside {
		s.owed += points
	}
	switch {
	case aside == s.aside:
		return
	case aside:
		shared.standAside()
	default:
		shared.goOn()
	}
	s.aside = aside
}

// crowded is told when a burst begins and ends.
func (s *Stream) crowded(burst bool) {
	s.c.check.burst.Store(burst)
	s.courtesy.count(s.c, 0)
	s.c.checkpointIfDue()
}
