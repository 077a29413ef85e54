package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The parser of flags leaves out what follows a "-": none of it may be lost unsaid.
func TestWhatFollowsADashCounts(t *testing.T) {
	t.Chdir(t.TempDir())
	madeStore(t)
	const deep = `{"depth":{"$gte":8}}`
	for _, args := range [][]string{
		{"export", "store", "lakes", "-", "--filter", deep},
		{"export", "store", "lakes", "-", "--filter=" + deep},
		{"export", "store", "--filter", deep, "lakes", "--format", "ndjson", "-"},
		{"export", "--filter", deep, "--", "store", "lakes", "-"},
	} {
		status, stdout, stderr := tarnCommand(args...)
		require.Zero(t, status, stderr)
		assert.Equal(t, 1, strings.Count(stdout, "\n"), "%v: %s", args, stdout)
	}
	for _, args := range [][]string{
		{"export", "store", "lakes", "-", "more"},
		{"export", "store", "lakes", "-", "--frob"},
		{"export", "store", "lakes", "-", "--filter"},
		{"ingest", "store", "lakes", "-", "--dim", "many"},
		{"backup", "store", "-", "more"},
	} {
		status, stdout, stderr := tarnCommand(args...)
		assert.Equal(t, exitUsage, status, "%v: %s", args, stderr)
		assert.Empty(t, stdout, args)
	}
	require.NoError(t, os.WriteFile("q.json", []byte("[1,0,0]"), 0o600))
	in, err := os.Open("q.json")
	require.NoError(t, err)
	was := os.Stdin
	os.Stdin = in
	t.Cleanup(func() { os.Stdin = was; require.NoError(t, in.Close()) })
	status, stdout, stderr := tarnCommand("search", "store", "--vector", "-", "lakes", "--k", "1", "--json")
	require.Zero(t, status, stderr)
	require.Contains(t, stdout, `"id": 1`, "the value of a flag stays where it is")
}
