package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	resultsFile = "../RESULTS.md"
	fragments   = "../results"
	plotsFolder = "../plots"
)

// sections are what RESULTS.md consists of, in this order; a fragment of another
// name follows them.
var sections = []string{"graph", "databases", "databases-generated", "streams", "rebuild", "log", "window", "filters", "filter-ways", "operations", "scale", "pages"}

const preface = `# Results

What was measured, each part with its command, machine, date and seeds. The machines are shared: read ratios, not absolutes;
differences under a quarter are ties. Everything anew, from a fresh clone with Go 1.25 and Python 3 (45 minutes on the two processors below):

    cd bench/peers && TARN_DATA=folder go run . all

TARN_DATA names the folder of the real sets (what is in it: [internal/data/doc.go](internal/data/doc.go)); without it, what needs
them is left as it is, and the rest runs on generated ones. This page is put together from [results/](results); edit those.
`

// assemble writes RESULTS.md from the fragments in a folder.
func assemble(folder, into string) error {
	text, err := assembled(folder)
	if err != nil {
		return err
	}
	return os.WriteFile(into, []byte(text), 0o644)
}

func assembled(folder string) (string, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.md"))
	if err != nil {
		return "", err
	}
	slices.SortStableFunc(paths, func(a, b string) int { return place(a) - place(b) })
	var b strings.Builder
	b.WriteString(preface)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		body := strings.TrimSpace(string(text))
		if strings.HasPrefix(body, "# ") { // a page of its own becomes a section
			body = "#" + body
		}
		if !strings.HasPrefix(body, "## ") {
			return "", fmt.Errorf("%s: a fragment begins with a heading of the second level", path)
		}
		fmt.Fprintf(&b, "\n%s\n", body)
	}
	return b.String(), nil
}

// place is where a fragment stands in the page.
func place(path string) int {
	if i := slices.Index(sections, strings.TrimSuffix(filepath.Base(path), ".md")); i >= 0 {
		return i
	}
	return len(sections)
}

// writeFragment replaces a section's fragment and puts the page together anew.
func writeFragment(section, text string) error {
	if err := os.MkdirAll(fragments, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(fragments, section+".md"), []byte(text), 0o644); err != nil {
		return err
	}
	return assemble(fragments, resultsFile)
}
