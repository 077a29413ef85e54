package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// tree returns the names of all that is below the current folder.
func tree(t *testing.T) (all []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(".", func(path string, _ os.DirEntry, err error) error {
		all = append(all, path)
		return err
	}))
	return all
}

func TestACommandThatCannotBeginMakesNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	madeStore(t)
	status, _, stderr := tarnCommand("backup", "store", "whole.bak")
	require.Zero(t, status, stderr)
	require.NoError(t, os.Mkdir("empty", 0o700))
	require.NoError(t, os.WriteFile("x.fvecs", []byte{1, 0, 0, 0, 0, 0, 128, 63}, 0o600))
	require.NoError(t, os.WriteFile("none.fvecs", nil, 0o600))
	require.NoError(t, os.WriteFile("bad.bak", []byte("this is no backup, whatever its name says, for it has no header"), 0o600))
	require.NoError(t, os.WriteFile("lakes.npy.ids", nil, 0o600))
	made, err := os.Getwd()
	require.NoError(t, err)
	for name, args := range map[string][]string{
		"import under a name that cannot be":       {"import", "new", "Bad Name", "x.fvecs"},
		"the same in a folder that is empty":       {"import", "empty", "Bad Name", "x.fvecs"},
		"the same in folders that are not there":   {"import", "a/b/c", "Bad Name", "x.fvecs"},
		"import of a file that is not there":       {"import", "new", "docs", "nowhere.fvecs"},
		"import of a file without a row":           {"import", "new", "docs", "none.fvecs"},
		"import of lines into no store":            {"import", "new", "docs", "lakes.ndjson"},
		"the same, empty":                          {"import", "empty", "docs", "lakes.ndjson"},
		"ingest into no store":                     {"ingest", "new", "docs", "lakes.ndjson"},
		"ingest under a name that cannot be":       {"ingest", "new", "Bad Name", "lakes.ndjson", "--dim", "3"},
		"ingest of a file that is not there":       {"ingest", "new", "docs", "nowhere.ndjson", "--dim", "3"},
		"ingest of no dimensions":                  {"ingest", "new", "docs", "lakes.ndjson", "--dim", "0"},
		"a metric that is none":                    {"ingest", "new", "docs", "lakes.ndjson", "--dim", "3", "--metric", "taxi"},
		"compact of nothing":                       {"compact", "empty", "docs"},
		"rebuild of nothing":                       {"rebuild", "new", "docs"},
		"repair of nothing":                        {"repair", "new"},
		"repair of an empty folder":                {"repair", "empty"},
		"restore of no backup":                     {"restore", "a/b/c", "bad.bak"},
		"restore of a file that is not there":      {"restore", "a/b/c", "nowhere.bak"},
		"restore over a store":                     {"restore", "store", "whole.bak"},
		"restore over a file":                      {"restore", "lakes.ndjson", "whole.bak"},
		"restore below a file":                     {"restore", "lakes.ndjson/x", "whole.bak"},
		"restore of a folder":                      {"restore", "new", "store"},
		"backup over a file":                       {"backup", "store", "lakes.ndjson"},
		"backup into a folder that is not there":   {"backup", "store", "a/b/lakes.bak"},
		"export of vectors over their names":       {"export", "store", "lakes", "lakes.npy"},
		"export with a filter that is none":        {"export", "store", "lakes", "out.npy", "--filter", "{"},
		"a plot of a kind that nobody draws":       {"bench", "store", "lakes", "--queries", "2", "--k", "1", "--plot", "x.gif"},
		"a plot over a file":                       {"bench", "store", "lakes", "--queries", "2", "--k", "1", "--plot", "x.fvecs"},
		"a search for more dimensions than it has": {"search", "store", "lakes", "--vector", "x.fvecs"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.CopyFS(dir, os.DirFS(made)))
			t.Chdir(dir)
			before := tree(t)
			status, stdout, stderr := tarnCommand(args...)
			require.Contains(t, []int{exitFailed, exitUsage}, status)
			require.Empty(t, stdout)
			require.Contains(t, stderr, "tarn: ")
			require.Equal(t, before, tree(t), stderr)
		})
	}
}
