package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestResultsAreWhatTheFragmentsMakeTogether(t *testing.T) {
	want, err := assembled(fragments)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(resultsFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("bench/RESULTS.md is not what bench/results makes: cd bench/peers && go run . report")
	}
}

func TestSectionsStandInTheirOrderAndOthersFollow(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"scale", "another", "graph"} {
		if err := os.WriteFile(filepath.Join(dir, name+".md"), []byte("## "+name+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := assembled(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(text, "\n## graph\n\n## scale\n\n## another\n") {
		t.Error(text)
	}
	if err := os.WriteFile(filepath.Join(dir, "graph.md"), []byte("no heading"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := assembled(dir); err == nil {
		t.Error("a fragment without a heading was taken")
	}
}

func TestARunReplacesWhatStandsBetweenItsMarks(t *testing.T) {
	text := "## a\n<!-- run: go one -->\nold\n<!-- end of run -->\nbetween\n<!-- run: go two -->\n<!-- end of run -->\nend\n"
	got, err := rerun(text, func(command string) (string, error) { return "[" + command + "]\n", nil })
	if err != nil {
		t.Fatal(err)
	}
	want := "## a\n<!-- run: go one -->\n[go one]\n<!-- end of run -->\nbetween\n<!-- run: go two -->\n[go two]\n<!-- end of run -->\nend\n"
	if got != want {
		t.Error(got)
	}
	if _, err := rerun("<!-- run: go one -->\nold", nil); err == nil {
		t.Error("a mark without an end was taken")
	}
}

func TestACommandIsSplitAtSpacesAndQuotes(t *testing.T) {
	env, args := words("A=1 go test -run ^$ -bench 'X|Y z' ./bench")
	if strings.Join(env, ";") != "A=1" || strings.Join(args, ";") != "go;test;-run;^$;-bench;X|Y z;./bench" {
		t.Error(env, args)
	}
}

func TestBenchmarksBecomeTables(t *testing.T) {
	got := benchTable("goos: linux\nBenchmarkA/x=1-2  10  5 ns/op  3 qps\nBenchmarkB-2  1  7 ns/op\nPASS\n")
	if want := "| | ns/op | qps |\n|---|---|---|\n| A/x=1 | 5 | 3 |\n\n| | ns/op |\n|---|---|\n| B | 7 |\n"; got != want {
		t.Error(got)
	}
}
