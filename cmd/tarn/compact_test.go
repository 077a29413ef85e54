package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A small collection takes more after a compact, of what is reserved for writes: it is
// said which files did not shrink, and why.
func TestCompactTellsWhatTheFilesTakeAndWhyOneGrew(t *testing.T) {
	t.Chdir(t.TempDir())
	lines := func(text string, more ...string) {
		t.Helper()
		file := write(t, "lines.ndjson", text)
		status, _, stderr := tarnCommand(append([]string{"ingest", "store", "docs", file}, more...)...)
		require.Zero(t, status, stderr)
	}
	lines(ndjson(3), "--dim", "3")
	status, stdout, stderr := tarnCommand("compact", "store", "docs")
	require.Zero(t, status, stderr)
	require.Regexp(t, `^[0-9.]+ kB before, [0-9.]+ kB now, for 3 points\n  deleted points +0 +0 +none took space\n`, stdout)
	require.Regexp(t, `(?m)^  log +[0-9.]+ kB +[0-9.]+ kB  a new segment, reserved for writes to come$`, stdout)
	require.Regexp(t, `(?m)^  vectors +[0-9.]+ kB +[0-9.]+ kB$`, stdout)

	lines(`{"id":1,"delete":true}`)
	length := func(pattern string) (sum int64) {
		names, err := filepath.Glob("store/collections/docs/" + pattern)
		require.NoError(t, err)
		require.NotEmpty(t, names)
		for _, name := range names {
			info, err := os.Stat(name)
			require.NoError(t, err)
			sum += info.Size()
		}
		return sum
	}
	before := map[string]int64{partVectors: length("slots/*"), partGraph: length("graph-*")} // opening changes no length of these
	status, stdout, stderr = tarnCommand("compact", "store", "docs", "--json")
	require.Zero(t, status, stderr)
	var got compacted
	require.NoError(t, json.Unmarshal([]byte(stdout), &got))
	require.Equal(t, compacted{Before: got.Before, After: got.After, Points: 2, DeletedBefore: 1, Parts: got.Parts}, got)
	var sum partJSON
	var names []string
	for _, p := range got.Parts {
		sum.Before, sum.After = sum.Before+p.Before, sum.After+p.After
		names = append(names, p.Name)
		if want := before[p.Name]; want > 0 {
			require.Equal(t, want, p.Before, p.Name)
		}
	}
	require.Equal(t, []string{partVectors, partGraph, partTables, partLog}, names)
	require.Equal(t, partJSON{Before: got.Before, After: got.After}, sum)
}

func TestWhatCompactGaveBackIsCounted(t *testing.T) {
	var out strings.Builder
	c := compacted{Before: 3e6, After: 2e6, Points: 1, DeletedBefore: 1200, DeletedAfter: 7, Parts: []partJSON{{partGraph, 1e6, 2e6}, {partTables, 1e6, 9e6}}}
	require.NoError(t, c.print(&out))
	require.Equal(t, "3.0 MB before, 2.0 MB now, for 1 point\n"+
		"  deleted points  1 200   7\n"+
		"  graph           1.0 MB  2.0 MB\n"+
		"  tables          1.0 MB  9.0 MB  written anew, with room for writes to come\n", out.String())
}

func TestEveryFileOfACollectionIsOfAPart(t *testing.T) {
	for path, want := range map[string]string{
		"docs/slots/00000000.vec": partVectors, "docs/slots/00000000.code": partVectors, "docs/slots/00000000.side": partVectors,
		"docs/wal/0000000000000001.wal": partLog, "docs/wal/next.tmp": partLog,
		"docs/graph-7.snap": partGraph, "docs/graph-7.left": partGraph, "docs/fields.idx": partFields, "docs/meta.db": partTables, "docs/meta.copy": partTables,
	} {
		require.Equal(t, want, part(filepath.FromSlash(path)), path)
	}
}
