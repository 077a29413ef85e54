package crashtest

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// kills returns how many kills a test makes: the environment's TARN_KILLS
// (make crash N=1000 sets it), else its own number, fewer with -short.
func kills(t *testing.T, usual int) int {
	t.Helper()
	if text := os.Getenv("TARN_KILLS"); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(t, err, "TARN_KILLS")
		return n
	}
	if testing.Short() {
		return max(usual/5, 1)
	}
	return usual
}

// seed makes runs differ with TARN_SEED; a violation names the seed it needs.
func seed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("TARN_SEED")
	if text == "" {
		return 1
	}
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, "TARN_SEED")
	return n
}

func killMany(t *testing.T, usual int, c Config) {
	t.Helper()
	n := kills(t, usual)
	c.Dir, c.Seed, c.IDs = filepath.Join(t.TempDir(), "store"), seed(t), 200
	s, err := Run(context.Background(), c, n)
	require.NoError(t, err)
	require.Empty(t, strings.Join(s.Violations, "\n"))
	t.Logf("%d kills, %d of them while opening; %d operations acknowledged, all there; %d unacknowledged ones not there; longest Open %v",
		s.Kills, s.Opening, s.Acked, s.Unacked, s.Longest)
	assert.Equal(t, n*(1+c.Nested), s.Kills)
	assert.Positive(t, s.Acked)
}

func TestA01_KillsBetweenUpsertsLoseNothingAcknowledged(t *testing.T) {
	killMany(t, 25, Config{Producers: []Kind{API, API, API}})
}

func TestA02_KillsInTheMiddleOfAStreamLoseNothingAcknowledged(t *testing.T) {
	killMany(t, 50, Config{Producers: []Kind{Stream, Source, API}, Checkpoint: true})
}

func TestA02_KillsLoseNoKeyAndNoPointOfOne(t *testing.T) {
	killMany(t, 25, Config{Producers: []Kind{Stream, Source, API}, Checkpoint: true, Named: true})
}

func TestA03_KillsBesideARebuildLoseNothingAcknowledged(t *testing.T) {
	killMany(t, 10, Config{Producers: []Kind{Stream, API}, Rebuild: true, Checkpoint: true, Preload: 6000})
}

func TestA04_KillsBesideACompactLoseNothingAcknowledged(t *testing.T) {
	killMany(t, 10, Config{Producers: []Kind{Stream, API}, Compact: true, Checkpoint: true, Preload: 2000})
}

func TestA06_KillsOfARecoveryFiveDeepLoseNothingAcknowledged(t *testing.T) {
	killMany(t, 10, Config{Producers: []Kind{Stream, Source, API}, Nested: 5})
}

func TestA07_KillsOfAFirstCreationLeaveNothingOrAllThatWasAcknowledged(t *testing.T) {
	opening, n := 0, kills(t, 25)
	for i := range n {
		c := Config{Dir: filepath.Join(t.TempDir(), "store"), Seed: seed(t) + uint64(i)<<32, Producers: []Kind{API, Stream}, IDs: 50, Fresh: true}
		s, err := Run(context.Background(), c, 1)
		require.NoError(t, err)
		require.Empty(t, strings.Join(s.Violations, "\n"))
		opening += s.Opening
	}
	t.Logf("%d kills, %d of them while opening", n, opening)
}
