package await

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tarndb/tarn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	second = time.Second
	minute = time.Minute
)

// play is a store that shows what it is told to.
type play struct {
	begin time.Time
	show  func(at time.Duration) tarn.Stats
}

func (p play) Stats() tarn.Stats { return p.show(time.Since(p.begin)) }

// act plays a store to fn, in a time that passes only while somebody waits.
func act(t *testing.T, show func(at time.Duration) tarn.Stats, fn func(t *testing.T, s play)) {
	synctest.Test(t, func(t *testing.T) { fn(t, play{time.Now(), show}) })
}

// upTo is n up to a time and 0 from then on.
func upTo(end, at time.Duration, n int) int {
	if at < end {
		return n
	}
	return 0
}

func TestIndexedEndsWhenNothingMoreLeavesTheDelta(t *testing.T) {
	for _, tc := range []struct {
		name        string
		show        func(at time.Duration) tarn.Stats
		since, took time.Duration // when that came to be, and was known
	}{
		{"empty from the start", func(at time.Duration) tarn.Stats {
			return tarn.Stats{Points: 5_000}
		}, 0, 0},
		{"empty beside searches and a rebuild", func(at time.Duration) tarn.Stats {
			return tarn.Stats{Points: 5_000, InDelta: upTo(3*second, at, 4_000), GraphDistances: int64(at), Rebuilding: true}
		}, 3 * second, 3 * second},
		{"a few stay beside searches", func(at time.Duration) tarn.Stats {
			return tarn.Stats{Points: 5_000, InDelta: 5 + upTo(3*second, at, 4_000), GraphDistances: int64(at)}
		}, 3 * second, 3*second + parked*pause},
		{"one more than may stay", func(at time.Duration) tarn.Stats {
			return tarn.Stats{Points: 5_999, InDelta: upTo(5*second, at, 6)}
		}, 5 * second, 5 * second},
		{"a few leave one after the other", func(at time.Duration) tarn.Stats {
			return tarn.Stats{Points: 5_000, InDelta: max(0, 5-int(at/(900*time.Millisecond)))}
		}, 4500 * time.Millisecond, 4500 * time.Millisecond},
		{"a few wait for the end of a rebuild", func(at time.Duration) tarn.Stats {
			return tarn.Stats{Points: 5_000, InDelta: upTo(5*second, at, 5), Rebuilding: at < 5*second}
		}, 5 * second, 5 * second},
		{"longer than the patience, but less and less", func(at time.Duration) tarn.Stats {
			return tarn.Stats{Points: 5_000, InDelta: max(0, 2_000-1_000*int(at/(6*minute)))}
		}, 12 * minute, 12 * minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			act(t, tc.show, func(t *testing.T, s play) {
				at, err := Indexed(t.Context(), s)
				require.NoError(t, err)
				require.Equal(t, tc.since, at.Sub(s.begin))
				require.Equal(t, tc.took, time.Since(s.begin))
			})
		})
	}
}

func TestIdleEndsWhenNothingIsDone(t *testing.T) {
	for _, tc := range []struct {
		name string
		show func(at time.Duration) tarn.Stats
		last time.Duration // when something was done
	}{
		{"nothing from the start", func(at time.Duration) tarn.Stats {
			return tarn.Stats{Points: 5_000, GraphDistances: 7}
		}, 0},
		{"an audit after the delta is empty", func(at time.Duration) tarn.Stats {
			return tarn.Stats{Points: 5_000, InDelta: upTo(second, at, 4_000), GraphDistances: int64(min(at, 3*second))}
		}, 3 * second},
		{"points that the delta takes back", func(at time.Duration) tarn.Stats {
			return tarn.Stats{Points: 5_000, InDelta: 5 - upTo(50*time.Millisecond, at, 1)}
		}, 50 * time.Millisecond},
		{"a few stay", func(at time.Duration) tarn.Stats {
			return tarn.Stats{Points: 5_000, InDelta: 5 + upTo(2*second, at, 1)}
		}, 2 * second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			act(t, tc.show, func(t *testing.T, s play) {
				require.NoError(t, Idle(t.Context(), s))
				require.Equal(t, tc.last+idle*pause, time.Since(s.begin))
			})
		})
	}
	for name, busy := range map[string]tarn.Stats{
		"a rebuild":           {Points: 5_000, Rebuilding: true},
		"an index of a field": {Points: 5_000, FieldsBuilding: 1},
		"a delta too full":    {Points: 5_000, InDelta: 6},
	} {
		t.Run(name, func(t *testing.T) {
			act(t, func(at time.Duration) tarn.Stats {
				if at < 2*second {
					return busy
				}
				return tarn.Stats{Points: 5_000}
			}, func(t *testing.T, s play) {
				require.NoError(t, Idle(t.Context(), s))
				require.GreaterOrEqual(t, time.Since(s.begin), 2*second)
			})
		})
	}
}

func TestI2_AWaitForWhatNeverComesEnds(t *testing.T) {
	waits := map[string]func(ctx context.Context, s Store) error{
		"indexed": func(ctx context.Context, s Store) error { _, err := Indexed(ctx, s); return err },
		"idle":    Idle,
	}
	for name, wait := range waits {
		t.Run(name+" with too many that stay", func(t *testing.T) {
			act(t, func(at time.Duration) tarn.Stats {
				return tarn.Stats{Points: 5_000, InDelta: 300 + (int(at/second)+1)%7, GraphDistances: int64(at), FieldsBuilding: 2}
			}, func(t *testing.T, s play) {
				require.ErrorContains(t, wait(t.Context(), s), "of 5000 points are in the delta, which has not been smaller for 10m0s; rebuilding: false, field indexes building: 2")
				require.Equal(t, patience+6*second, time.Since(s.begin).Truncate(second))
			})
		})
		t.Run(name+" when it is called off", func(t *testing.T) {
			act(t, func(time.Duration) tarn.Stats { return tarn.Stats{Points: 5_000, InDelta: 300} }, func(t *testing.T, s play) {
				ctx, cancel := context.WithTimeout(t.Context(), minute)
				defer cancel()
				require.ErrorIs(t, wait(ctx, s), context.DeadlineExceeded)
				require.Equal(t, minute, time.Since(s.begin))
			})
		})
	}
}

func TestAStoreComesToRestWithItsPointsInTheGraph(t *testing.T) {
	db, err := tarn.Open(filepath.Join(t.TempDir(), "db"), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	c, err := db.CreateCollection(t.Context(), "points", tarn.CollectionConfig{Dim: 8, Fields: []string{"n"}})
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(1, 1))
	ps := make([]tarn.Point, 3_000)
	for i := range ps {
		v := make([]float32, 8)
		for j := range v {
			v[j] = float32(r.NormFloat64())
		}
		ps[i] = tarn.Point{ID: uint64(i), Vector: v, Payload: tarn.Payload{"n": i}}
	}
	require.NoError(t, c.Upsert(t.Context(), ps...))
	_, err = Indexed(t.Context(), c)
	require.NoError(t, err)
	require.GreaterOrEqual(t, c.Stats().InGraph, 2_997)
	require.NoError(t, Idle(t.Context(), c))
	st := c.Stats()
	require.GreaterOrEqual(t, st.InGraph, 2_997)
	require.Equal(t, st.GraphDistances, c.Stats().GraphDistances)
}
