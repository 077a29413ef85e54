package demo

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/cmd/tarn/internal/godoc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// part returns the first n symbols and a few questions.
func part(t *testing.T, n int) *godoc.Set {
	t.Helper()
	set, err := godoc.Load()
	require.NoError(t, err)
	set.Symbols, set.Queries = set.Symbols[:n], set.Queries[:20]
	return set
}

func TestDemoKeepsEveryPromiseOnAPartOfTheData(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	r, err := Run(context.Background(), part(t, 1500), Options{Dir: dir})
	require.NoError(t, err)
	assert.Empty(t, r.Broken())

	assert.Equal(t, 1500-r.Deleted, r.Points)
	assert.Positive(t, r.Deleted)
	assert.Positive(t, r.Moved)
	assert.Equal(t, 1, r.Rebuilds)
	assert.GreaterOrEqual(t, r.Searches, r.Points)
	assert.Len(t, r.Questions, shown)
	assert.Len(t, r.Questions[0].Nearest, shown)
	assert.Positive(t, r.AcceptedPerS)
	assert.Positive(t, r.DurableP50MS)
	assert.GreaterOrEqual(t, r.DurableP99MS, r.DurableP50MS)
	assert.Positive(t, r.ReopenMS)
	assert.Greater(t, r.DiskBytes, int64(1500*384*4))

	db, err := tarn.Open(dir, nil)
	require.NoError(t, err, "the store is kept and not locked")
	c, err := db.Collection(collection)
	require.NoError(t, err)
	assert.Equal(t, r.Points, c.Len())
	require.NoError(t, db.Close())
}

func TestDemoRefusesAFolderThatHoldsOne(t *testing.T) {
	dir := t.TempDir()
	db, err := tarn.Open(dir, nil)
	require.NoError(t, err)
	_, err = db.CreateCollection(context.Background(), collection, tarn.CollectionConfig{Dim: 2})
	require.NoError(t, err)
	require.NoError(t, db.Close())

	_, err = Run(context.Background(), part(t, 100), Options{Dir: dir})
	require.ErrorIs(t, err, tarn.ErrExists)
	assert.ErrorContains(t, err, "create the store")
}

func TestDemoLeavesNoTemporaryFolderWhenItIsInterrupted(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	ctx, cancel := context.WithCancel(context.Background())
	_, err := Run(ctx, part(t, 400), Options{Progress: &interrupt{after: 50, cancel: cancel}})
	require.ErrorIs(t, err, context.Canceled)
	left, err := os.ReadDir(tmp)
	require.NoError(t, err)
	assert.Empty(t, left)
}

// interrupt cancels the demo after so many points.
type interrupt struct {
	Silent
	after  int
	cancel context.CancelFunc
}

func (p *interrupt) Add(n int) {
	if p.after -= n; p.after == 0 {
		p.cancel()
	}
}
