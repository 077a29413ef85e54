package streaming

import "container/heap"

// watcher is a goroutine that waits until the item seq has its outcome.
type watcher struct {
	seq  uint64
	at   int // in the heap; -1 once it left
	done chan struct{}
}

// watchers is a heap, the smallest number first, so that a batch wakes those it
// concerns and nobody else.
type watchers struct{ heap watcherHeap }

func (w *watchers) add(seq uint64) *watcher {
	x := &watcher{seq: seq, done: make(chan struct{})}
	heap.Push(&w.heap, x)
	return x
}

func (w *watchers) remove(x *watcher) {
	if x.at >= 0 {
		heap.Remove(&w.heap, x.at)
	}
}

// upTo takes out everyone who waits for an item up to seq.
func (w *watchers) upTo(seq uint64) []*watcher {
	var out []*watcher
	for len(w.heap) > 0 && w.heap[0].seq <= seq {
		out = append(out, heap.Pop(&w.heap).(*watcher))
	}
	return out
}

// release wakes watchers; the lock need not be held.
func release(ws []*watcher) {
	for _, w := range ws {
		close(w.done)
	}
}

type watcherHeap []*watcher

func (h watcherHeap) Len() int           { return len(h) }
func (h watcherHeap) Less(i, j int) bool { return h[i].seq < h[j].seq }

func (h watcherHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

func (h *watcherHeap) Push(x any) {
	w := x.(*watcher)
	w.at = len(*h)
	*h = append(*h, w)
}

func (h *watcherHeap) Pop() any {
	last := len(*h) - 1
	w := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	w.at = -1
	return w
}
