package crashtest

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// story is a workload of one producer of which acked operations were
// acknowledged, sent were sent, and kept are there.
type story struct {
	oracle
	h         heard
	found     contents
	positions []uint64
}

func tell(kind Kind, acked, kept, sent int) story {
	o := oracle{Config: Config{Seed: 7, Cycle: 3, Producers: []Kind{kind}, IDs: 40}, before: contents{0: 77, 4: 78}, positions: []uint64{5}}
	s := story{oracle: o, found: maps.Clone(o.before), positions: []uint64{5}}
	n := 0
	for batch := range o.batches(0) {
		last := batch[len(batch)-1].seq + 1
		s.h.sent = []int{last}
		if last <= acked {
			s.h.acked = []int{last}
		}
		if last <= kept {
			for _, w := range batch {
				o.apply(s.found, 0, w)
			}
			if kind == Source {
				s.positions[0] = o.offset(n)
			}
		}
		n++
		if last >= sent {
			break
		}
	}
	if s.h.acked == nil {
		s.h.acked = []int{0}
	}
	return s
}

func (s story) violations() string {
	return strings.Join(s.judge(s.h, s.found, s.positions).violations, "\n")
}

func kinds() []Kind { return []Kind{Stream, Source, API} }

// last returns the last upsert (or delete) among the first n operations that
// none of them follows on the same id.
func (s story) last(t *testing.T, deletes bool, n int) op {
	t.Helper()
	final := map[uint64]op{}
	for batch := range s.batches(0) {
		if batch[0].seq >= n {
			break
		}
		for _, w := range batch {
			final[w.id] = w
		}
	}
	last := op{seq: -1}
	for _, w := range final {
		if w.delete == deletes && w.seq > last.seq {
			last = w
		}
	}
	require.GreaterOrEqual(t, last.seq, 0)
	return last
}

func TestI1_EveryPrefixBetweenAcknowledgedAndSentIsRight(t *testing.T) {
	for _, kind := range kinds() {
		for kept := 100; kept <= 300; kept += 25 {
			s := tell(kind, 100, kept, 300)
			assert.Empty(t, s.violations(), "%s, %d kept", kind, kept)
		}
		assert.Empty(t, tell(kind, 0, 0, 0).violations(), "%s, nothing sent", kind)
	}
}

func TestOracleCountsWhatIsNotThere(t *testing.T) {
	s := tell(Stream, 100, 250, 300)
	out := s.judge(s.h, s.found, s.positions)
	assert.Equal(t, []int{250}, out.kept)
	assert.Equal(t, 50, out.unacked)
}

func TestOracleSeesWhatIsWrong(t *testing.T) {
	for _, kind := range kinds() {
		t.Run(string(kind), func(t *testing.T) {
			for name, c := range map[string]struct {
				harm func(*story)
				want string
			}{
				"an acknowledged point is lost": {func(s *story) {
					delete(s.found, s.last(t, false, s.h.acked[0]).id)
				}, "O1: id"},
				"an acknowledged point is as it was before": {func(s *story) {
					s.found[s.last(t, false, s.h.acked[0]).id] = 78
				}, "something older or foreign is there"},
				"an acknowledged delete came back": {func(s *story) {
					s.found[s.last(t, true, s.h.acked[0]).id] = 77
				}, "O2: id"},
				"everything acknowledged is lost": {func(s *story) {
					s.found = maps.Clone(s.before)
					s.positions[0] = 5
				}, "O1: id"},
				"a point from nowhere": {func(s *story) {
					s.found[1_000_000] = 1
				}, "nobody wrote what is there"},
			} {
				s := tell(kind, 200, 200, 200)
				c.harm(&s)
				assert.Contains(t, s.violations(), c.want, name)
			}
		})
	}
}

func TestO3_ATornBatchIsSeen(t *testing.T) {
	for _, kind := range []Kind{Source, API} {
		torn := 0
		for cut := 100; cut < 140; cut++ {
			s := tell(kind, 100, 100, 200)
			for batch := range s.batches(0) {
				for _, w := range batch {
					if w.seq >= s.h.acked[0] && w.seq < cut {
						s.apply(s.found, 0, w)
					}
				}
				if batch[0].seq > cut {
					break
				}
			}
			if got := s.violations(); got != "" {
				assert.Contains(t, got, "O3: producer 0")
				torn++
			}
		}
		assert.Greater(t, torn, 20, "%s: most cuts fall inside a batch", kind)
	}
}

func TestO3_APositionThatIsNotTheLastBatchsIsSeen(t *testing.T) {
	for _, off := range []uint64{5, 1 << 40} {
		s := tell(Source, 100, 150, 200)
		s.positions[0] = off
		assert.Contains(t, s.violations(), "O3: producer 0", "position %d", off)
	}
}

func TestOracleSeesThatAPreloadedPointIsGone(t *testing.T) {
	s := tell(API, 10, 10, 10)
	s.before[preloaded] = 5
	assert.Contains(t, s.violations(), "is gone")
}

func TestHarnessHearsOnlyWholeLines(t *testing.T) {
	c := Config{Producers: []Kind{Stream, API}}
	lines := 0
	h, err := c.listen(strings.NewReader("B\nO\nS 0 4\nA 0 0 7 00000000\nD 0 1 7\nS 1 3\nA 1 0 9 0000"), func(heard) { lines++ })
	require.NoError(t, err)
	assert.Equal(t, heard{begun: true, opened: true, sent: []int{4, 3}, acked: []int{2, 0}, acks: 2}, h)
	assert.Equal(t, 6, lines)

	for _, bad := range []string{"X 0 0\n", "A 0 1 7 0\n", "A 2 0 7 0\n", "panic: no\n"} {
		_, err := c.listen(strings.NewReader(bad), func(heard) {})
		assert.Error(t, err, bad)
	}
	_, err = c.listen(io.MultiReader(strings.NewReader("O\n"), failing{}), func(heard) {})
	assert.Error(t, err)
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, os.ErrClosed }

func TestO5_EveryChangeOfATreeIsSeen(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.Mkdir(path("sub"), 0o700))
	for _, name := range []string{"a", "b", "sub/c"} {
		require.NoError(t, os.WriteFile(path(name), []byte(name), 0o600))
	}
	before, err := tree(dir)
	require.NoError(t, err)
	require.Len(t, before, 3)
	assert.Empty(t, written(before, before))

	require.NoError(t, os.Remove(path("a")))
	require.NoError(t, os.WriteFile(path("b"), []byte("x"), 0o600))
	require.NoError(t, os.Chtimes(path("b"), time.Time{}, before["b"].modified))
	require.NoError(t, os.WriteFile(path("new"), nil, 0o600))
	require.NoError(t, os.Chtimes(path("sub/c"), time.Time{}, before["sub/c"].modified.Add(time.Second)))
	after, err := tree(dir)
	require.NoError(t, err)
	assert.Equal(t, []string{"a is gone", "b was written (1 bytes, now 1)", "sub/c was written (5 bytes, now 5)", "new is new"}, written(before, after))
}

func TestI2_WorkloadsRepeatThemselvesAndNeverWriteAVectorTwice(t *testing.T) {
	c := Config{Seed: 1, Producers: []Kind{Stream, Source, API}, IDs: 5}
	seen := map[uint32]bool{}
	for cycle := range 3 {
		c.Cycle = cycle
		for p := range c.Producers {
			var first, second []op
			for _, into := range []*[]op{&first, &second} {
				for batch := range c.batches(p) {
					if *into = append(*into, batch...); len(*into) > 200 {
						break
					}
				}
			}
			require.Equal(t, first, second)
			for i, o := range first {
				require.Equal(t, i, o.seq)
				require.Less(t, o.id, uint64(15))
				sum := checksum(c.point(p, o))
				require.False(t, seen[sum])
				seen[sum] = true
			}
		}
	}
}
