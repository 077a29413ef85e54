package streaming

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTheQueueIsFirstInFirstOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newQueue[int]()
		var want []int
		next := 0
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			for range rapid.IntRange(0, 3*chunkItems).Draw(t, "push") {
				q.push(next, cost{1, int32(next)})
				want = append(want, next)
				next++
			}
			require.Equal(t, len(want), q.n)
			n := rapid.IntRange(0, q.n).Draw(t, "take")
			at := cursor[int]{q.head, q.first}
			require.True(t, slices.Equal(want[:n], at.copyTo(nil, n)))
			at.wipe(n)
			q.drop(n)
			want = want[n:]
		}
	})
}

func TestAQueueThatWasEmptiedKeepsNothingAlive(t *testing.T) {
	q := newQueue[*int]()
	for range 1000 {
		q.push(new(int), cost{})
	}
	at := cursor[*int]{q.head, q.first}
	at.wipe(1000)
	q.drop(1000)
	for c := q.spare; c != nil; c = c.next {
		require.Equal(t, [chunkItems]*int{}, c.items)
	}
	require.Equal(t, [chunkItems]*int{}, q.head.items)
	require.LessOrEqual(t, q.spares, spareChunks)
}

func TestAQueueOfOneChunkDoesNotGrowForever(t *testing.T) {
	q := newQueue[int]()
	for i := range 10 * chunkItems {
		q.push(i, cost{})
		q.push(i, cost{})
		at := cursor[int]{q.head, q.first}
		at.wipe(2)
		q.drop(2)
	}
	require.Zero(t, q.spares)
}
