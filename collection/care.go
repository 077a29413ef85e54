package collection

import (
	"math"
	"sync"
)

// care is how carefully the indexer asks for slots from which an insert took a link:
// for those that at most so many links still lead to. It follows what the asking finds. Of
// vectors that are easy to tell apart next to nothing is lost, and asking for all would
// double the work; of random ones of hundreds of dimensions much is.
//
//	more than 1 in 100 of those asked for were lost ──> twice as many links
//	less than 1 in 1 000                            ──> half of it
type care struct {
	mu          sync.Mutex
	ease        int // how often what is asked for was halved
	asked, lost int
}

const (
	mostCare  = 64 // links; before it is halved for the first time all are asked for
	leastCare = 3  // halved so often: 8 links, which is one question for four inserts, or fewer
	careAfter = 256
)

// links returns the number of links in force.
func (k *care) links() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ease == 0 {
		return math.MaxInt
	}
	return mostCare >> k.ease
}

// saw notes how many were asked for and how many of them were lost.
func (k *care) saw(asked, lost int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked, k.lost = k.asked+asked, k.lost+lost
	if k.asked < careAfter {
		return
	}
	switch {
	case k.lost*100 > k.asked:
		k.ease = max(k.ease-1, 0)
	case k.lost*1000 < k.asked:
		k.ease = min(k.ease+1, leastCare)
	}
	k.asked, k.lost = 0, 0
}
