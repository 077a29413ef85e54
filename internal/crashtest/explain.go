package crashtest

import "fmt"

// wrote is one operation on an id.
type wrote struct {
	op
	sum   uint32
	acked bool
}

// explain says what is wrong with producer p's ids, one by one where one id
// alone shows it.
func (o oracle) explain(p int, h heard, found contents, position uint64) []string {
	history := map[uint64][]wrote{}
	for batch := range o.batches(p) {
		if batch[len(batch)-1].seq >= h.sent[p] {
			break
		}
		for _, w := range batch {
			x := wrote{op: w, acked: w.seq < h.acked[p]}
			if !w.delete {
				x.sum = checksum(o.point(p, w))
			}
			history[w.id] = append(history[w.id], x)
		}
	}
	var out []string
	for i := range o.IDs {
		id := o.id(p, i)
		if problem := o.explainID(id, history[id], found); problem != "" {
			out = append(out, fmt.Sprintf("%s (producer %d, %s, cycle %d)", problem, p, o.Producers[p], o.Cycle))
		}
	}
	if len(out) == 0 {
		out = append(out, fmt.Sprintf("O3: producer %d (%s), cycle %d: no prefix of its %d operations of which %d were acknowledged, "+
			"at the end of a batch where batches are atomic, leaves what is there with position %d",
			p, o.Producers[p], o.Cycle, h.sent[p], h.acked[p], position))
	}
	return out
}

// explainID looks at one id alone: what is there must have been written by its
// last acknowledged operation or by a later one.
func (o oracle) explainID(id uint64, history []wrote, found contents) string {
	acked := -1
	for i, w := range history {
		if w.acked {
			acked = i
		}
	}
	sum, there := found[id]
	was, before := o.before[id]
	if acked < 0 && there == before && sum == was {
		return ""
	}
	for _, w := range history[max(acked, 0):] {
		if w.delete == !there && w.sum == sum {
			return ""
		}
	}
	switch {
	case acked >= 0 && history[acked].delete:
		return fmt.Sprintf("O2: id %d: operation %d deleted it, that was acknowledged, and it is there", id, history[acked].seq)
	case acked >= 0 && !there:
		return fmt.Sprintf("O1: id %d: operation %d wrote it, that was acknowledged, and it is not there", id, history[acked].seq)
	case acked >= 0:
		return fmt.Sprintf("O1: id %d: operation %d wrote it, that was acknowledged, and something older or foreign is there", id, history[acked].seq)
	case !there:
		return fmt.Sprintf("O1: id %d: was there before this cycle, nobody deleted it, and it is not there", id)
	default:
		return fmt.Sprintf("id %d: nobody wrote what is there", id)
	}
}
