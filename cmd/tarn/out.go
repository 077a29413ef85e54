package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/cmd/tarn/internal/progress"
)

// pointJSON is a point as every command prints and reads it, one a line.
type pointJSON struct {
	ID       *uint64      `json:"id,omitempty"`
	Key      string       `json:"key,omitempty"`
	Distance *float32     `json:"distance,omitempty"`
	Vector   []float32    `json:"vector,omitempty"`
	Payload  tarn.Payload `json:"payload,omitempty"`
}

func newPointJSON(p tarn.Point) pointJSON {
	j := pointJSON{Key: p.Key, Vector: p.Vector, Payload: p.Payload}
	if p.Key == "" {
		j.ID = &p.ID
	}
	return j
}

// json prints one JSON value.
func (r *request) json() bool { return r.cmd.Bool("json") }

func (r *request) out() io.Writer { return r.cmd.Root().Writer }

func (r *request) printJSON(v any) error { return printJSON(r.out(), v) }

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// say prints v as JSON if that was asked for, else the lines.
func (r *request) say(v any, format string, args ...any) error {
	if r.json() {
		return r.printJSON(v)
	}
	_, err := fmt.Fprintf(r.out(), format+"\n", args...)
	return err
}

// noting writes to w and notes that something was written.
type noting struct {
	w        io.Writer
	anything bool
}

func (n *noting) Write(b []byte) (int, error) {
	n.anything = n.anything || len(b) > 0
	return n.w.Write(b)
}

// Unwrap returns what is written to.
func (n *noting) Unwrap() io.Writer { return n.w }

// table prints rows of cells, aligned.
func table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

// fitted is table with lines that are cut where a terminal would wrap them, for rows
// that end in a text.
func fitted(w io.Writer, rows [][]string) error {
	columns := progress.Columns(w)
	if columns == 0 {
		return table(w, rows)
	}
	var b bytes.Buffer
	if err := table(&b, rows); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(w, cut(strings.TrimSuffix(line, "\n"), columns)); err != nil {
			return err
		}
	}
	return nil
}

// sayFolded prints a text, on a terminal with its lines broken between words; what is
// left of one goes on behind rest.
func sayFolded(w io.Writer, text, rest string) {
	if columns := progress.Columns(w); columns > 0 {
		text = fold(text, rest, columns-1)
	}
	fmt.Fprintln(w, text)
}

func fold(text, rest string, columns int) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		lead := line[:len(line)-len(strings.TrimLeft(line, " "))]
		lines = append(lines, lead)
		bare := true
		for word := range strings.FieldsSeq(line) {
			n := len(lines) - 1
			switch {
			case bare:
				lines[n] += word
			case utf8.RuneCountInString(lines[n])+1+utf8.RuneCountInString(word) <= columns:
				lines[n] += " " + word
			default:
				lines = append(lines, rest+word)
			}
			bare = false
		}
	}
	return strings.Join(lines, "\n")
}

// cut returns at most n runes of a text, and says that there were more.
func cut(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return string(r[:max(n-1, 0)]) + "…"
	}
	return text
}

// brief returns a payload on one line of at most n runes, on a terminal of as many as
// it has columns.
func (r *request) brief(p tarn.Payload, n int) string {
	return brief(p, max(n, progress.Columns(r.out())))
}

func brief(p tarn.Payload, n int) string {
	if p == nil {
		return ""
	}
	b, err := json.Marshal(p)
	if err != nil {
		return err.Error()
	}
	return cut(harmless(string(b)), n)
}

// harmless returns a text without what would do something to a terminal, but for ends
// of lines.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// size returns a number of bytes as people read it.
func size(n int64) string { return progress.Size(n) }

// count returns a number with its thousands apart.
func count[N int | int64 | uint64 | uint32](n N) string { return progress.Thousands(n) }

// many returns how many there are of something.
func many(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + more
}
