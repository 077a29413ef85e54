package ingest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// badLine is an entry of the side file, one JSON object a line.
type badLine struct {
	Line       uint64 `json:"line"`
	Collection string `json:"collection"` // with the source, whose line it is
	Source     string `json:"source"`
	Error      string `json:"error"`
	Text       string `json:"text"` // its beginning
}

// keptText is how much of a bad line the side file repeats.
const keptText = 1000

// sideFile takes bad lines. It is created by the first one.
type sideFile struct {
	name               string
	collection, source string // others may have their lines there too
	f                  *os.File
	sync               func(*os.File) error
}

// forgetAfter removes what the side file says of the source's lines after n: they are read again
// (I2). Of a line that was torn nobody knows the number: it is the last and goes too.
// A file that holds anything else is somebody's, and stays as it is.
func (s *sideFile) forgetAfter(n uint64) error {
	if info, err := os.Stat(s.name); err == nil && !info.Mode().IsRegular() {
		return nil // a pipe or a terminal forgets by itself, and a read of it may never end
	}
	old, err := os.ReadFile(s.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var kept []byte
	r := bufio.NewReader(bytes.NewReader(old))
	for at := 1; ; at++ {
		line, err := r.ReadBytes('\n')
		var b badLine
		switch whole := err == nil && json.Unmarshal(line, &b) == nil && b.Line > 0; {
		case whole && (b.Line <= n || b.Collection != s.collection || b.Source != s.source):
			kept = append(kept, line...)
		case !whole && (err == nil || !isTorn(line)):
			return fmt.Errorf("%s is no side file: its line %d tells of no bad line; --bad FILE names another", s.name, at)
		}
		if errors.Is(err, io.EOF) {
			break
		}
	}
	if len(kept) == len(old) {
		return nil
	}
	tmp := s.name + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(kept)
	if err == nil {
		err = s.sync(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(tmp, s.name)
}

// isTorn reports whether what stands behind the last line end may be the beginning of
// an entry.
func isTorn(text []byte) bool {
	const begins = `{"line":`
	n := min(len(text), len(begins))
	return string(text[:n]) == begins[:n]
}

// add appends bad lines with one write, durably: Position may pass over them from now on.
func (s *sideFile) add(lines []badLine) error {
	if len(lines) == 0 {
		return nil
	}
	if s.f == nil {
		f, err := os.OpenFile(s.name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		s.f = f
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	for _, l := range lines {
		l.Collection, l.Source = s.collection, s.source
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	_, err := s.f.Write(buf.Bytes())
	if err == nil {
		err = s.sync(s.f)
	}
	if err != nil {
		return fmt.Errorf("the side file: %w", err)
	}
	return nil
}

func (s *sideFile) close() error {
	if s.f == nil {
		return nil
	}
	return s.f.Close()
}

// syncRegular syncs what can be: a regular file.
func syncRegular(f *os.File) error {
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return nil
	}
	return f.Sync()
}
