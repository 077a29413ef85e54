package streaming

// chunkItems is the number of items of a chunk, spareChunks how many empty ones
// are kept, so that a queue of up to 16 384 items allocates nothing once warm.
const (
	chunkItems  = 256
	spareChunks = 64
)

// cost is what an item takes of the queue's two bounds.
type cost struct {
	points, bytes int32
}

type chunk[T any] struct {
	next  *chunk[T]
	items [chunkItems]T
	costs [chunkItems]cost
}

// queue is a list of chunks that never move. Producers push under the lock; who
// flushes or settles a batch reads its items without it, since they were counted under
// the lock and are dropped only when they are settled.
type queue[T any] struct {
	head, tail   *chunk[T]
	first, after int // where the oldest item is in head; where the next one goes in tail
	n            int
	spare        *chunk[T]
	spares       int
}

func newQueue[T any]() queue[T] {
	c := new(chunk[T])
	return queue[T]{head: c, tail: c}
}

// push appends an item.
func (q *queue[T]) push(item T, c cost) {
	if q.after == chunkItems {
		q.grow()
	}
	q.tail.items[q.after] = item
	q.tail.costs[q.after] = c
	q.after++
	q.n++
}

func (q *queue[T]) grow() {
	c := q.spare
	if c == nil {
		c = new(chunk[T])
	} else {
		q.spare, c.next = c.next, nil
		q.spares--
	}
	q.tail.next = c
	q.tail, q.after = c, 0
}

// drop forgets the n oldest items, which wipe has cleared.
func (q *queue[T]) drop(n int) {
	q.n -= n
	q.first += n
	for q.first >= chunkItems && q.head != q.tail {
		c := q.head
		q.head, q.first = c.next, q.first-chunkItems
		c.next = nil
		if q.spares < spareChunks {
			c.next, q.spare = q.spare, c
			q.spares++
		}
	}
	if q.n == 0 {
		q.first, q.after = 0, 0
	}
}

// from returns a cursor behind the n oldest items; there are more than n.
func (q *queue[T]) from(n int) cursor[T] {
	k := cursor[T]{q.head, q.first + n}
	for k.i >= chunkItems {
		k.c, k.i = k.c.next, k.i-chunkItems
	}
	return k
}

// cursor walks over the oldest items. Only the goroutines that flush and settle have
// one, for items that stay until they are settled, and ask for no more of them than
// were counted under the lock.
type cursor[T any] struct {
	c *chunk[T]
	i int
}

// next returns the item's place and moves on.
func (k *cursor[T]) next() (*chunk[T], int) {
	if k.i == chunkItems {
		k.c, k.i = k.c.next, 0
	}
	k.i++
	return k.c, k.i - 1
}

// copyTo appends the next n items to dst.
func (k cursor[T]) copyTo(dst []T, n int) []T {
	for range n {
		c, i := k.next()
		dst = append(dst, c.items[i])
	}
	return dst
}

// wipe clears the next n items, so that the queue does not keep alive what they
// point to.
func (k cursor[T]) wipe(n int) {
	var zero T
	for range n {
		c, i := k.next()
		c.items[i] = zero
	}
}
