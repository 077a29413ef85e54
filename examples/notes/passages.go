package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	fewWords  = 40  // paragraphs are joined up to this
	manyWords = 200 // and cut from here: small embedding models read about as much
)

// passages cuts a text into pieces of whole paragraphs, neither too short to mean
// something nor too long to be read whole.
func passages(text string) []string {
	var (
		out     []string
		piece   []string
		words   int
		finish  = func() { out, piece, words = append(out, strings.Join(piece, "\n\n")), nil, 0 }
		cleaned = strings.ReplaceAll(text, "\r\n", "\n")
	)
	for _, p := range strings.Split(cleaned, "\n\n") {
		for _, p := range cut(strings.TrimSpace(p)) {
			n := len(strings.Fields(p))
			if n == 0 {
				continue
			}
			if words > 0 && words+n > manyWords {
				finish()
			}
			piece = append(piece, p)
			if words += n; words >= fewWords {
				finish()
			}
		}
	}
	if words > 0 {
		finish()
	}
	return out
}

// cut divides a paragraph that is too long.
func cut(paragraph string) []string {
	words := strings.Fields(paragraph)
	if len(words) <= manyWords {
		return []string{paragraph}
	}
	var out []string
	for len(words) > 0 {
		n := min(manyWords, len(words))
		out = append(out, strings.Join(words[:n], " "))
		words = words[n:]
	}
	return out
}

// key names passage n of a file; keys sort by file, then by place.
func key(file string, n int) string { return fmt.Sprintf("%s#%06d", file, n) }

// files returns the notes below folder, by their slashed path from there.
func files(folder string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(folder, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasPrefix(e.Name(), ".") && path != folder {
			if e.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if ext := strings.ToLower(filepath.Ext(path)); e.Type().IsRegular() && (ext == ".md" || ext == ".txt") {
			name, err := filepath.Rel(folder, path)
			if err != nil {
				return err
			}
			out = append(out, filepath.ToSlash(name))
		}
		return nil
	})
	slices.Sort(out) // a walk visits a/b before a.md
	return out, err
}
