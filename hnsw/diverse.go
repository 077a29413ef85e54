package hnsw

import "github.com/tarndb/tarn/internal/kernel"

// forced marks, in a candidate's slot, one that must be chosen.
const forced = 1 << 31

// candidates appends the pool's wanted slots but one, nearest first; if there are
// none, all but that one.
func (p *pool) candidates(out []kernel.Candidate, but uint32) []kernel.Candidate {
	from := len(out)
	for skip := uint64(dead); ; skip = 0 {
		for _, key := range p.keys {
			if s := keySlot(key); s != but && key&skip == 0 {
				out = append(out, kernel.Candidate{Slot: s, Dist: keyDist(key)})
			}
		}
		if len(out) > from || skip == 0 {
			return out
		}
	}
}

// diverse chooses up to m of cands, which are sorted by their distance to a base:
// those that are nearer to the base than to any chosen before (Malkov and
// Yashunin, algorithm 4, without its filling up), and all forced ones, of which
// there are at most m. So links lead into different directions, and of many equal
// vectors one is chosen. The result lies in cands.
//
// Each chosen one strikes out of the rest what it covers, in one kernel call.
func (w *walk) diverse(g *Graph, cands []kernel.Candidate, m int) []kernel.Candidate {
	must := 0
	for _, c := range cands {
		must += int(c.Slot >> 31)
	}
	chosen := 0
	for rest := cands; len(rest) > 0 && chosen < m; {
		c := rest[0]
		rest = rest[1:]
		if c.Slot&forced != 0 {
			must--
		} else if chosen+must >= m {
			continue
		}
		c.Slot &^= forced
		cands[chosen] = c
		chosen++
		if chosen < m {
			rest = w.strike(g, c.Slot, rest)
		}
	}
	return cands[:chosen]
}

// strike keeps, of candidates, those that are farther from slot than from their
// base, and the forced ones.
func (w *walk) strike(g *Graph, slot uint32, cands []kernel.Candidate) []kernel.Candidate {
	b := &w.build
	b.slots = b.slots[:0]
	for _, c := range cands {
		b.slots = append(b.slots, c.Slot&^forced)
	}
	dists := w.pairs(g, slot, b.slots)
	n := 0
	for i, c := range cands {
		if dists[i] > c.Dist || c.Slot&forced != 0 {
			cands[n] = c
			n++
		}
	}
	return cands[:n]
}

// pairs computes the distances from one slot to others.
func (w *walk) pairs(g *Graph, slot uint32, others []uint32) []float32 {
	b := &w.build
	if cap(b.dists) < len(others) {
		b.dists = make([]float32, len(others)+cap(others))
	}
	dists := b.dists[:len(others)]
	w.evals += len(others)
	w.ask(g, &b.pair, slot)
	if w.exact {
		w.vectors(&b.pair, others, dists)
	} else {
		b.pair.Codes(w.codes, others, dists)
	}
	return dists
}

// ask makes a slot the query, as far as the walk needs it: its codes, or its vector.
func (w *walk) ask(g *Graph, q *kernel.Query, slot uint32) {
	if w.exact {
		q.Set(g.linkMetric(), w.vecs.Float32s(slot, g.cfg.Dim))
	} else {
		q.SetCode(g.linkMetric(), g.cfg.Dim, w.codes.Bytes(slot))
	}
}
