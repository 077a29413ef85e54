package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const near = 0.25

func TestLinesThatSayTheSameAreLeftOut(t *testing.T) {
	feed, err := os.Open("testdata/feed.txt")
	require.NoError(t, err)
	defer feed.Close()
	var out, said bytes.Buffer
	n, err := dedup(context.Background(), filepath.Join(t.TempDir(), "seen"), near, feed, &out, &said)
	require.NoError(t, err)
	require.Equal(t, []string{
		"Storm closes the mountain pass; traffic is led through the valley",
		"The library opens a reading room for children",
		"Mountain pass closed by a storm",
		"Lake level at its lowest since measurements began",
		"New night train to the coast from spring",
	}, strings.Split(strings.TrimSpace(out.String()), "\n"))
	require.Equal(t, counts{8, 5}, n)
	require.Equal(t, 3, strings.Count(said.String(), "  as  "))
}

func TestTheNextRunRemembers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "seen")
	for run, want := range []string{"the first line\nanother thing altogether\n", ""} {
		var out bytes.Buffer
		_, err := dedup(context.Background(), dir, near, strings.NewReader("the first line\nanother thing altogether\n"), &out, io.Discard)
		require.NoError(t, err)
		require.Equal(t, want, out.String(), "run %d", run+1)
	}
}

func TestALineWithoutLettersIsPassedOver(t *testing.T) {
	var out bytes.Buffer
	n, err := dedup(context.Background(), filepath.Join(t.TempDir(), "seen"), near, strings.NewReader("123\n\n--\n"), &out, io.Discard)
	require.NoError(t, err)
	require.Equal(t, counts{lines: 3}, n)
	require.Empty(t, out.String())
}
