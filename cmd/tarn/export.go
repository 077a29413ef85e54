package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/cmd/tarn/internal/progress"
	"github.com/tarndb/tarn/cmd/tarn/internal/vecio"
)

func exportCommand() *cli.Command {
	return storeCommand{
		name: "export", usage: "write a collection's points to a file that other programs read", collection: true, extra: []string{"FILE|-"},
		text: "Writes .ndjson (everything; - is standard output), .npy, .fvecs or .fbin (the vectors, in the order of their\n" +
			"ids or keys; the ids, as u64, go to FILE.ids, keys, one a line, to FILE.keys, as JSON where one has line\n" +
			"ends or begins with a quotation mark; payloads are left out).\n" +
			"FILE must not exist; it has its name only when all of it is written.",
		flags: []cli.Flag{&cli.StringFlag{Name: "format", Usage: "`FORMAT` of FILE; default: by its name"}, filterFlag},
		run:   runExport,
	}.command()
}

func runExport(ctx context.Context, r *request) error {
	file, format := r.args[0], r.cmd.String("format")
	if format == "" {
		format = vecio.FormatOf(file)
	}
	if file == "-" || format == "jsonl" {
		format = "ndjson"
	}
	if format != "ndjson" && !slices.Contains(vecio.Written, format) {
		return usageError(fmt.Sprintf("%s: no format %q; --format is ndjson, %s", file, format, strings.Join(vecio.Written, ", ")))
	}
	if file == "-" {
		out := bufio.NewWriterSize(r.out(), 1<<16)
		_, err := r.exportLines(ctx, out)
		return errors.Join(err, out.Flush())
	}
	var n int
	var err error
	if format == "ndjson" {
		_, err = writeNew(file, func(w io.Writer) (err error) {
			n, err = r.exportLines(ctx, w)
			return err
		})
	} else {
		n, err = r.exportVectors(ctx, file, format)
	}
	if err != nil {
		return err
	}
	return r.say(map[string]any{"file": file, "points": n}, "%s written to %s", many(n, "point", "points"), file)
}

// exportPage points are read at a time.
const exportPage = 1_000

// each calls fn with every point that the filter lets pass, in order.
func (r *request) each(ctx context.Context, fn func(p tarn.Point) error) error {
	f, err := r.filter()
	if err != nil {
		return err
	}
	show := progress.New(r.cmd.Root().ErrWriter)
	defer show.Stop()
	total := r.c.Len()
	if f != nil {
		total = 0 // nobody knows how many there will be
	}
	show.Start("writing points", total, progress.Things)
	for from := ""; ; {
		points, err := r.page(ctx, from, exportPage, f)
		if err != nil {
			return err
		}
		for _, p := range points {
			if err := fn(p); err != nil {
				return err
			}
		}
		show.Add(len(points))
		if len(points) < exportPage {
			return nil
		}
		last := points[len(points)-1]
		if from = last.Key + "\x00"; last.Key == "" {
			if last.ID == 1<<64-1 {
				return nil
			}
			from = fmt.Sprint(last.ID + 1)
		}
	}
}

func (r *request) exportLines(ctx context.Context, w io.Writer) (n int, err error) {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	err = r.each(ctx, func(p tarn.Point) error {
		n++
		return e.Encode(newPointJSON(p))
	})
	return n, err
}

// keyLine returns a key as a line: as it is, or as JSON if it could be mistaken.
func keyLine(key string) string {
	if !strings.ContainsAny(key, "\n\r") && !strings.HasPrefix(key, `"`) {
		return key
	}
	line, err := json.Marshal(key)
	if err != nil {
		return strconv.Quote(key) // no text fails
	}
	return string(line)
}

// exportVectors writes the vectors to file, and beside it how the points are named.
func (r *request) exportVectors(ctx context.Context, file, format string) (n int, err error) {
	names, suffix := []byte(nil), ".ids"
	if r.c.Config().Keys == tarn.StringKeys {
		suffix = ".keys"
	}
	if err := mustBeNew(file + suffix); err != nil {
		return 0, err
	}
	_, err = createNew(file, func(f *os.File) error {
		out, err := vecio.NewWriter(f, format, r.c.Config().Dim)
		if err != nil {
			return err
		}
		err = r.each(ctx, func(p tarn.Point) error {
			n++
			if p.Key != "" {
				names = append(append(names, keyLine(p.Key)...), '\n')
			} else {
				names = binary.LittleEndian.AppendUint64(names, p.ID)
			}
			return out.Write(p.Vector)
		})
		if err != nil {
			return err
		}
		return out.Close()
	})
	if err != nil {
		return n, err
	}
	if _, err = writeNew(file+suffix, func(w io.Writer) error {
		_, err := w.Write(names)
		return err
	}); err != nil { // without the names nobody knows whose the vectors are
		return n, errors.Join(err, os.Remove(file))
	}
	return n, nil
}
