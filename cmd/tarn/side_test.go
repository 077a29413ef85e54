package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestASideFileThatIsSomethingElseStaysAsItIs(t *testing.T) {
	dir, bad := filepath.Join(t.TempDir(), "db"), "nonsense\n"+ndjson(3)
	require.Zero(t, first(tarnCommand("ingest", "--dim", "3", dir, "docs", write(t, "fine.ndjson", ndjson(3)))))
	for name, text := range map[string]string{
		"notes":                    "a small lake\nin a high place\n",
		"notes without a line end": "a small lake",
		"the lines to be read":     bad,
		"an entry, then notes":     `{"line":1,"error":"none","text":""}` + "\nnotes",
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, "x", text)
			status, s, stderr := ingestJSON(t, "--source", name, "--bad", file, dir, "docs", file)
			require.Equal(t, exitFailed, status)
			require.Contains(t, stderr, "no side file")
			require.Zero(t, s.Lines)
			got, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, text, string(got))
		})
	}
	torn := write(t, "torn", `{"line":1,"error":"a`)
	status, _, stderr := ingestJSON(t, "--source", "torn", "--bad", torn, dir, "docs", write(t, "bad.ndjson", bad))
	require.Equal(t, exitPartly, status, stderr)
	got, err := os.ReadFile(torn)
	require.NoError(t, err)
	require.Regexp(t, `^\{"line":1,.*"text":"nonsense"\}\n$`, string(got))
}

func TestASideFileKeepsTheBadLinesOfOtherSources(t *testing.T) {
	dir, bad := filepath.Join(t.TempDir(), "db"), filepath.Join(t.TempDir(), "side.bad")
	file := write(t, "x.ndjson", "nonsense\n"+ndjson(3)+"more of it\n")
	require.Equal(t, exitPartly, first(tarnCommand("ingest", "--dim", "3", "--source", "a", "--bad", bad, dir, "docs", file)))
	one, err := os.ReadFile(bad)
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(one), "\n"))
	for at, args := range [][]string{{"--source", "b", dir, "docs", file}, {"--source", "a", "--dim", "3", dir, "notes", file}} {
		require.Equal(t, exitPartly, first(tarnCommand(append([]string{"ingest", "--bad", bad}, args...)...)))
		all, err := os.ReadFile(bad)
		require.NoError(t, err)
		require.Equal(t, 2*(at+2), strings.Count(string(all), "\n"))
		require.Equal(t, string(one), string(all[:len(one)]))
	}
}
