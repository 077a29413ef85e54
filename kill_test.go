package tarn_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
	"github.com/tarndb/tarn/internal/crashtest"
)

// childOptions makes a child rotate, checkpoint and write snapshots all the time,
// and kill itself at a named step. In every other one batches of a few points are large.
func childOptions(c crashtest.Config) *tarn.Options {
	var n atomic.Int64
	slots := 256
	if c.Compact {
		slots = 64 // so that it has files to remove
	}
	return tarn.WithKnobs(collection.Knobs{LogSegment: 16 << 10, CheckpointBytes: 64 << 10, SnapshotChange: 100, ChunkSlots: slots, RunBytes: c.Cycle % 2 * 64, Hook: func(step string) {
		if c.Step == "" || step != c.Step || n.Add(1) != int64(c.Nth) {
			return
		}
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			_ = self.Kill()
		}
		select {} // nothing after the step happens
	}})
}

// killMany kills children of this test binary and asserts that no kill broke a
// promise.
func killMany(t *testing.T, usual int, c crashtest.Config) {
	t.Helper()
	n := fromEnv("TARN_KILLS", usual)
	c.Dir, c.Seed, c.IDs = filepath.Join(t.TempDir(), "store"), uint64(fromEnv("TARN_SEED", 1)), 100
	s, err := crashtest.Run(ctx, c, n)
	require.NoError(t, err)
	require.Empty(t, strings.Join(s.Violations, "\n"))
	require.Equal(t, n, s.Kills)
	t.Logf("%d kills, %d operations acknowledged, all there; longest Open %v", s.Kills, s.Acked, s.Longest)
}

func TestA04_A03_KillsAtEveryNamedStepLoseNothingAcknowledged(t *testing.T) {
	for _, step := range []string{"checkpoint: before log sync", "checkpoint: before data sync", "checkpoint: after data sync", "checkpoint: before commit",
		"checkpoint: after commit", "checkpoint: before log delete", "checkpoint: after log delete",
		"snapshot: before sync", "snapshot: before rename", "snapshot: after rename",
		"write: after log", "write: before publication", "write: before sync",
		"rebuild: round", "rebuild: before audit", "rebuild: before publication", "rebuild: after publication", "index: between graph and delta"} {
		t.Run(step, func(t *testing.T) {
			killMany(t, 1, crashtest.Config{Producers: []crashtest.Kind{crashtest.Stream, crashtest.Source, crashtest.API}, Checkpoint: true,
				Rebuild: strings.HasPrefix(step, "rebuild"), Step: step})
		})
	}
}

func TestA05_KillsWhileTheLogRotatesLoseNothingAcknowledged(t *testing.T) {
	killMany(t, 5, crashtest.Config{Producers: []crashtest.Kind{crashtest.API, crashtest.Source, crashtest.API}})
}

func TestA08_KillsWhileCollectionsAreCreatedAndDroppedLeaveThemWholeOrGone(t *testing.T) {
	killMany(t, 5, crashtest.Config{Producers: []crashtest.Kind{crashtest.API}, Churn: true})
}
