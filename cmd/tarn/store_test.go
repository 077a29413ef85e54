package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// madeStore makes a store "store" of four points in the current folder.
func madeStore(t *testing.T) {
	t.Helper()
	lines := `{"id": 1, "vector": [1, 0, 0], "payload": {"depth": 7}}
{"id": 2, "vector": [0.9, 0.1, 0], "payload": {"depth": 15}}
{"id": 3, "vector": [0, 1, 0]}
{"id": 4, "vector": [0, 0.9, 0.2]}
`
	require.NoError(t, os.WriteFile("lakes.ndjson", []byte(lines), 0o600))
	status, _, stderr := tarnCommand("ingest", "store", "lakes", "lakes.ndjson", "--dim", "3")
	require.Zero(t, status, stderr)
}

// files returns every file below dir with its bytes and time of change.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		require.NoError(t, err)
		b, err := os.ReadFile(path)
		all[path] = info.ModTime().String() + string(b)
		return err
	}))
	return all
}

func TestCommandsThatLookWriteNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	madeStore(t)
	before := files(t, "store")
	for _, args := range looking {
		status, _, stderr := tarnCommand(args...)
		assert.Zero(t, status, "%v: %s", args, stderr)
		assert.Equal(t, before, files(t, "store"), "%v", args)
	}
}

var looking = [][]string{
	{"search", "store", "lakes", "--like", "1"},
	{"get", "store", "lakes", "1"},
	{"scroll", "store", "lakes"},
	{"stats", "store"},
	{"inspect", "store", "lakes"},
	{"inspect", "store", "lakes", "--json"},
	{"bench", "store", "lakes", "--queries", "4", "--k", "2", "--plot", "sweep.png"},
	{"export", "store", "lakes", "out.npy"},
	{"verify", "store"},
	{"backup", "store", "lakes.bak"},
}

func TestEveryCommandExplainsItself(t *testing.T) {
	for _, c := range commands() {
		status, stdout, _ := tarnCommand(c.Name, "--help")
		assert.Zero(t, status, c.Name)
		assert.Contains(t, stdout, c.Usage)
	}
	status, stdout, _ := tarnCommand("completion", "bash")
	assert.Zero(t, status)
	assert.Contains(t, stdout, "complete")
}

func TestAStoreThatIsNotMadeTakesNothingElseWithIt(t *testing.T) {
	t.Chdir(t.TempDir())
	_, undo, err := makeStore("a/b/one")
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll("a/two", 0o700)) // another's, meanwhile
	require.NoError(t, undo())
	require.DirExists(t, "a/two")
	require.NoDirExists(t, "a/b")
	_, undo, err = makeStore("c/d/")
	require.NoError(t, err)
	require.NoError(t, undo())
	require.NoDirExists(t, "c")
}
