package kernel

import "fmt"

// Metric says which distance a collection uses. A smaller distance is nearer.
type Metric uint8

const (
	L2     Metric = 0 // squared Euclidean distance
	Cosine Metric = 1 // 1 - cos(a, b), never below 0
	Dot    Metric = 2 // -dot(a, b)
)

// String names the metric.
func (m Metric) String() string {
	switch m {
	case L2:
		return "l2"
	case Cosine:
		return "cosine"
	case Dot:
		return "dot"
	}
	return fmt.Sprintf("metric(%d)", uint8(m))
}

// Candidate is a slot and its distance to some query.
type Candidate struct {
	Slot uint32
	Dist float32
}
