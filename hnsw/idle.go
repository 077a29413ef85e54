package hnsw

import (
	"runtime"
	"sync"
)

// idle keeps walks between uses. It is not a sync.Pool, which every garbage
// collection empties: the marks of a large graph are megabytes.
type idle struct {
	mu    sync.Mutex
	walks []*walk
}

// acquire returns a walk that sees the graph as it is now.
func (g *Graph) acquire() *walk {
	w := g.idle.take()
	w.exact, w.noting = false, false
	w.look(g)
	return w
}

func (i *idle) take() *walk {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := len(i.walks)
	if n == 0 {
		return new(walk)
	}
	w := i.walks[n-1]
	i.walks = i.walks[:n-1]
	return w
}

// release hands a walk back. No more are kept than can run at once.
func (g *Graph) release(w *walk) {
	g.evals.Add(int64(w.evals))
	w.evals = 0
	i := &g.idle
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.walks) < 2*runtime.GOMAXPROCS(0) {
		i.walks = append(i.walks, w)
	}
}
