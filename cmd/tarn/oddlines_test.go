package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

func TestOddLinesAreStoredOrTold(t *testing.T) {
	const point = `{"id":7,"vector":[1,2,3]}`
	for name, c := range map[string]struct {
		text   string
		stored uint64
		says   string // of a bad line
	}{
		"a mark of byte order in front":           {"\ufeff" + point + "\n", 1, ""},
		"one in the middle of a file":             {point + "\n\ufeff" + point + "\n", 1, "invalid character"},
		"lines that end as on Windows":            {point + "\r\n" + `{"id":8,"vector":[1,2,4]}` + "\r\n", 2, ""},
		"empty lines and lines of spaces":         {"\n  \n\t\r\n" + point + "\n\n", 1, ""},
		"no line end behind the last":             {point, 1, ""},
		"nothing at all":                          {"", 0, ""},
		"one id twice":                            {`{"id":7,"vector":[9,9,9]}` + "\n" + point + "\n", 1, ""},
		"an id that is a text":                    {`{"id":"7","vector":[1,2,3]}` + "\n", 0, `"id" cannot be string`},
		"an id that is no whole number":           {`{"id":7.5,"vector":[1,2,3]}` + "\n", 0, `"id" cannot be number 7.5`},
		"an id beyond the last":                   {`{"id":18446744073709551616,"vector":[1,2,3]}` + "\n", 0, `"id" cannot be number`},
		"numbers that are texts":                  {`{"id":7,"vector":["1","2","3"]}` + "\n", 0, `"vector" cannot be string`},
		"a number that is missing":                {`{"id":7,"vector":[1,null,3]}` + "\n", 0, "null"},
		"a text that only says null":              {`{"id":7,"vector":[1,2,3],"payload":{"a":null,"b":"null"}}` + "\n", 1, ""},
		"vectors in a vector":                     {`{"id":7,"vector":[[1,2,3]]}` + "\n", 0, `"vector" cannot be array`},
		"not a number":                            {`{"id":7,"vector":[NaN,2,3]}` + "\n", 0, "invalid character"},
		"a payload that is a list":                {`{"id":7,"vector":[1,2,3],"payload":[1]}` + "\n", 0, `cannot be array`},
		"letters that are no UTF-8":               {"{\"id\":7,\"vector\":[1,2,3],\"payload\":{\"a\":\"\xff\"}}\n", 0, "UTF-8"},
		"a payload too deep":                      {`{"id":7,"vector":[1,2,3],"payload":{"a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "}}\n", 0, "depth"},
		"another program's format, all on a line": {`[` + point + `,` + point + `]` + "\n", 0, "no object but array"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, file := filepath.Join(t.TempDir(), "db"), write(t, "x.ndjson", c.text)
			status, s, stderr := ingestJSON(t, dir, "docs", file, "--dim", "3", "--metric", "l2")
			if c.says == "" {
				require.Zero(t, status, stderr)
			} else {
				require.Equal(t, exitPartly, status, stderr)
				require.EqualValues(t, 1, s.Bad)
				told, err := os.ReadFile(file + ".bad")
				require.NoError(t, err)
				var bad struct{ Error string }
				require.NoError(t, json.Unmarshal(told, &bad), "%s", told)
				require.Contains(t, bad.Error, c.says)
			}
			db, err := tarn.Open(dir, nil)
			require.NoError(t, err)
			defer func() { require.NoError(t, db.Close()) }()
			docs, err := db.Collection("docs")
			require.NoError(t, err)
			require.EqualValues(t, c.stored, docs.Len())
			if c.stored > 0 {
				p, err := docs.Get(context.Background(), 7)
				require.NoError(t, err)
				require.Equal(t, []float32{1, 2, 3}, p.Vector)
			}
		})
	}
}

func TestAQueryThatLacksANumberIsRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	madeStore(t)
	for _, text := range []string{"[1,null,3]", "null", "[1,2]", "{}", `["1",2,3]`, "[1,2,3", "[1,2,3] 4", ""} {
		require.NoError(t, os.WriteFile("q.json", []byte(text), 0o600))
		status, stdout, stderr := tarnCommand("search", "store", "lakes", "--vector", "q.json")
		require.Equal(t, exitFailed, status, "%s: %s", text, stdout)
		require.Contains(t, stderr, "tarn: ", text)
	}
}

// What a key or a source's name says is shown, and does nothing to the terminal.
func TestNamesWithControlCharactersAreQuoted(t *testing.T) {
	t.Chdir(t.TempDir())
	db, err := tarn.Open("store", nil)
	require.NoError(t, err)
	c, err := db.CreateCollection(context.Background(), "docs", tarn.CollectionConfig{Dim: 1, Keys: tarn.StringKeys, Metric: tarn.L2})
	require.NoError(t, err)
	s, err := c.EnableStreaming(context.Background(), tarn.DefaultStreamingConfig())
	require.NoError(t, err)
	odd := []string{"a\nb", "\x1b[2J", `"quoted"`, "plain ü", "tab\there"}
	for i, key := range odd {
		_, err := s.SendBatch(context.Background(), []tarn.Point{{Key: key, Vector: []float32{float32(i)}, Payload: tarn.Payload{"text": "\u009b2J\x1b[2J"}}}, tarn.From("\x1b]0;title\a", uint64(i+1)))
		require.NoError(t, err)
	}
	require.NoError(t, db.Close())
	for _, args := range [][]string{{"scroll", "store", "docs"}, {"search", "store", "docs", "--like", odd[3]}, {"get", "store", "docs", odd[1]}, {"inspect", "store", "docs"}} {
		status, stdout, stderr := tarnCommand(args...)
		require.Zero(t, status, stderr)
		require.NotContains(t, stdout, "\x1b", args)
		require.NotContains(t, stdout, "\a", args)
		require.NotContains(t, stdout, "\u009b", args)
		require.NotContains(t, stdout, "a\nb", args)
	}
	status, _, stderr := tarnCommand("export", "store", "docs", "x.npy")
	require.Zero(t, status, stderr)
	names, err := os.ReadFile("x.npy.keys")
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(string(names), "\n"), "\n")
	require.Len(t, lines, len(odd), "one a line")
	for i, p := range []string{"\x1b[2J", `"quoted"`, "a\nb", "plain ü", "tab\there"} { // in the order of keys
		got := lines[i]
		if strings.HasPrefix(got, `"`) {
			require.NoError(t, json.Unmarshal([]byte(got), &got))
		}
		require.Equal(t, p, got)
	}
}
