package tarn_test

import (
	"errors"
	"fmt"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/collection"
)

func init() {
	children["small files"] = func(dir string) error {
		signal.Ignore(unix.SIGXFSZ) // what a program has to do that sets this limit
		return limitedWrites(dir, unix.RLIMIT_FSIZE, 1<<20)
	}
	children["few files"] = func(dir string) error { return limitedWrites(dir, unix.RLIMIT_NOFILE, 40) }
}

// limitedWrites upserts batch after batch under a limit of the system, until one is
// refused or there are enough, and says how the store goes on without the limit.
func limitedWrites(dir string, resource int, low uint64) error {
	var was unix.Rlimit
	if err := unix.Getrlimit(resource, &was); err != nil {
		return err
	}
	if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: low, Max: was.Max}); err != nil {
		return err
	}
	db, err := tarn.Open(dir, tarn.WithKnobs(collection.Knobs{ChunkSlots: 8192}))
	if err != nil {
		return err
	}
	c, err := db.EnsureCollection(ctx, "test", tarn.CollectionConfig{Dim: limitedDim})
	if err != nil {
		return err
	}
	next := uint64(1)
	write := func(batches int) error {
		for range batches {
			if err := c.Upsert(ctx, points(newRand(next), next, 50, limitedDim)...); err != nil {
				return err
			}
			next += 50
			fmt.Println("acked", next-1)
		}
		return nil
	}
	err = write(160)
	fmt.Println("refused:", errors.Is(err, tarn.ErrNoSpace), errors.Is(err, tarn.ErrFailed), err)
	near, err := c.Search(ctx, make([]float32, limitedDim), 1)
	fmt.Println("search:", len(near), err)
	if err := unix.Setrlimit(resource, &was); err != nil {
		return err
	}
	fmt.Println("again:", write(4))
	err = db.Close()
	if errors.Is(err, tarn.ErrNoSpace) && !errors.Is(err, tarn.ErrFailed) {
		err = nil // of a checkpoint in the background, of which nobody was told
	}
	fmt.Println("close:", err)
	return nil
}

const limitedDim = 64

// said returns the last write that the child had acknowledged, and what else it said.
func said(t *testing.T, child, dir string) (acked uint64, lines map[string]string) {
	t.Helper()
	cmd, out := startChild(t, child, dir)
	lines = map[string]string{}
	for out.Scan() {
		if n, _ := fmt.Sscanf(out.Text(), "acked %d", &acked); n == 1 {
			continue
		}
		word, rest, _ := strings.Cut(out.Text(), ": ")
		lines[word] = rest
	}
	require.NoError(t, cmd.Wait(), "%v", lines)
	return acked, lines
}

func TestB10_AFileThatMayNotGrowIsAFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	acked, lines := said(t, "small files", dir)
	require.Greater(t, acked, uint64(500))
	require.Less(t, acked, uint64(160*50))
	require.True(t, strings.HasPrefix(lines["refused"], "true false "), "%v", lines)
	require.Equal(t, "1 <nil>", lines["search"])
	require.Equal(t, "<nil>", lines["again"], "the limit is gone, and writes go on")
	require.Equal(t, "<nil>", lines["close"])
	requireAcked(t, dir, acked)
}

func TestB09_AStoreNeedsFewDescriptors(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	acked, lines := said(t, "few files", dir)
	require.Equal(t, uint64(164*50), acked, "%v", lines)
	require.Equal(t, "<nil>", lines["close"])
	requireAcked(t, dir, acked)
}

func requireAcked(t *testing.T, dir string, acked uint64) {
	t.Helper()
	c, db := openCollection(t, dir, nil)
	require.Equal(t, int(acked), c.Len())
	for first := uint64(1); first < acked; first += 50 {
		for _, p := range points(newRand(first), first, 50, limitedDim)[:3] {
			got, err := c.Get(ctx, p.ID)
			require.NoError(t, err)
			require.Equal(t, p.Vector, got.Vector)
		}
	}
	requireSound(t, db)
	require.NoError(t, db.Close())
}
