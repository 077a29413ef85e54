package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/cmd/tarn/internal/ingest"
	"github.com/tarndb/tarn/cmd/tarn/internal/progress"
	"github.com/tarndb/tarn/cmd/tarn/internal/vecio"
)

func importCommand() *cli.Command {
	return &cli.Command{
		Name: "import", Usage: "stream vectors of other programs' files into a collection", ArgsUsage: "DIR COLLECTION FILE",
		Description: "Reads .ndjson, .npy, .fvecs, .bvecs, .fbin, .u8bin, .i8bin, .f16bin, and the graphs that coder/hnsw saves\n" +
			"(--format hnsw); each may be .gz. A collection that is not there is made, but for .ndjson: tarn ingest --dim N\n" +
			"makes that. Row i becomes the point --first-id + i; nodes of a graph keep their keys, which --keys says the\n" +
			"type of (int, string, uint64, int64, uint32, int32).\n" +
			"The place in FILE is stored with the points: run again after an interrupt, it goes on where it was. Rows\n" +
			"that can be no points are left out, counted and told.\n\n" +
			"Exit status: 0 every row is stored and durable; 3 every row but those told; 1 it ended early.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Usage: "`FORMAT` of FILE; default: by its name"},
			&cli.StringFlag{Name: "metric", Usage: "`M` of a new collection: cosine, l2 or dot", Value: "cosine"},
			&cli.Uint64Flag{Name: "first-id", Usage: "`N` is the id of the first row"},
			&cli.StringFlag{Name: "source", Usage: "keep the place under `NAME`; default: FILE's path"},
			&cli.StringFlag{Name: "keys", Usage: "`TYPE` of the keys of a coder/hnsw graph", Value: "int"},
			&cli.BoolFlag{Name: "json", Usage: "print the report as JSON"},
		},
		Action: runImport,
	}
}

// importReport is what an import came to.
type importReport struct {
	Collection string    `json:"collection"`
	Source     string    `json:"source"`
	Rows       uint64    `json:"rows"`    // read in this run
	Resumed    uint64    `json:"resumed"` // stored by earlier ones
	Stored     uint64    `json:"stored"`
	Skipped    uint64    `json:"skipped"`
	Reasons    []skipped `json:"reasons,omitempty"`
	Points     int       `json:"points"`
	Seconds    float64   `json:"seconds"`
	PerSecond  float64   `json:"points_per_s"`
}

type skipped struct {
	Row    uint64 `json:"row"`
	Reason string `json:"reason"`
}

// maxReasons is how many rows are told one by one; all are counted.
const maxReasons = 20

func runImport(ctx context.Context, cmd *cli.Command) (err error) {
	args := cmd.Args().Slice()
	if len(args) != 3 {
		return usageError(fmt.Sprintf("import takes DIR COLLECTION FILE, not %q", args))
	}
	if args[2] == "-" {
		return usageError("import reads a file, whose place it stores under its name; tarn ingest reads standard input")
	}
	format := cmd.String("format")
	if format == "" {
		format = vecio.FormatOf(args[2])
	}
	if format == "ndjson" || format == "jsonl" {
		return importLines(ctx, cmd, args)
	}
	if !slices.Contains(vecio.Formats, format) {
		return usageError(fmt.Sprintf("%s: no format %q; --format is ndjson, %s", args[2], format, strings.Join(vecio.Formats, ", ")))
	}
	if _, err := metricFlag(cmd); err != nil {
		return err
	}
	im := &importer{cmd: cmd, sent: map[uint64]uint64{}, report: importReport{Collection: args[1]}}
	if im.report.Source, err = sourceName(cmd, args[2]); err != nil {
		return err
	}
	if im.in, err = vecio.Open(ctx, args[2], format, vecio.KeyKind(cmd.String("keys"))); err != nil {
		return err
	}
	defer im.in.Close() // only read
	first, err := im.in.Next()
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: it holds no row", vecio.ErrFormat)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", im.report.Source, err)
	}
	db, done, err := makeStore(args[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	begun := time.Now()
	err = im.run(ctx, db, first)
	im.report.Seconds = time.Since(begun).Seconds()
	im.report.PerSecond = float64(im.report.Stored) / im.report.Seconds
	if err == nil || im.report.Rows+im.report.Resumed > 0 {
		err = errors.Join(err, im.print())
	}
	if err == nil && im.report.Skipped > 0 {
		err = badLinesError{ingest.Summary{Bad: im.report.Skipped, BadFile: "the report"}}
	}
	return err
}

// sourceName returns what the place in a file is stored under.
func sourceName(cmd *cli.Command, file string) (string, error) {
	if name := cmd.String("source"); name != "" {
		return name, nil
	}
	return filepath.Abs(file)
}

// ingestMakes is what an error says where there is no collection to go to, or to look at.
const ingestMakes = "tarn ingest " + dimMakes

// importLines is ingest, which goes on where it was.
func importLines(ctx context.Context, cmd *cli.Command, args []string) (err error) {
	db, err := openStore(args[0], false)
	if errors.Is(err, tarn.ErrNotFound) {
		err = fmt.Errorf("%w; %s", err, ingestMakes)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c, err := db.Collection(args[1])
	if err != nil {
		return fmt.Errorf("%w; %s", err, ingestMakes)
	}
	o, err := ingestOptions(cmd, args[2])
	if err != nil {
		return err
	}
	o.Resume = true
	sum, err := runLines(ctx, cmd, c, o)
	if err := errors.Join(err, printSummary(cmd, sum)); err != nil {
		return err
	}
	if sum.Bad > 0 {
		return badLinesError{sum}
	}
	return nil
}

// importer sends rows in batches, each with its place in the file.
type importer struct {
	cmd      *cli.Command
	in       *vecio.File
	c        *tarn.Collection
	stream   *tarn.Stream
	progress ingest.Progress
	report   importReport
	first    uint64 // the id of the first row
	byKey    bool   // points have keys
	row      uint64 // read so far, with those of earlier runs
	batch    []tarn.Point
	memory   []float32 // of the vectors of the batch
	vectors  []float32 // what of it is free
	rows     []uint64  // of the points of the batch
	last     tarn.Ticket
	sent     map[uint64]uint64 // points of this run up to a place
}

// importBatch points are one record of the log.
const importBatch = 2_048

func (im *importer) run(ctx context.Context, db *tarn.DB, first vecio.Row) (err error) {
	if err := im.open(ctx, db, len(first.Vector)); err != nil {
		return err
	}
	show := &reading{show: progress.New(im.cmd.Root().ErrWriter), what: "row"}
	im.progress = show
	defer im.progress.End()
	im.report.Resumed, _ = im.c.Position(im.report.Source)
	ctx, end := show.watchStream(ctx, im.c)
	defer end()
	err = im.all(ctx, first)
	if e := im.stream.Flush(ctx); err == nil { // now, not after the flush interval
		err = e
	}
	if e := im.last.Wait(ctx); err == nil {
		err = e
	}
	err = fullness(ctx, err)
	if at, _ := im.c.Position(im.report.Source); err != nil {
		im.report.Stored = im.sent[at] // the rest was accepted and is not durable
	}
	im.report.Points = im.c.Len()
	return err
}

// open returns the collection, which is made if it is not there.
func (im *importer) open(ctx context.Context, db *tarn.DB, dim int) (err error) {
	streaming := tarn.StreamingConfig{BatchSize: importBatch}
	im.c, err = db.Collection(im.report.Collection)
	if errors.Is(err, tarn.ErrNotFound) {
		metric, err := metricFlag(im.cmd)
		if err != nil {
			return err
		}
		cfg := tarn.CollectionConfig{Dim: dim, Metric: metric, Streaming: &streaming} // made with it: no second commit
		if im.cmd.String("keys") == string(vecio.StringKeys) {
			cfg.Keys = tarn.StringKeys
		}
		if im.c, err = db.CreateCollection(ctx, im.report.Collection, cfg); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	im.first, im.byKey = im.cmd.Uint64("first-id"), im.c.Config().Keys == tarn.StringKeys
	if have := im.c.Config().Dim; have != dim {
		return fmt.Errorf("%w: %s has %d components a row, the collection has %d", tarn.ErrDimension, im.report.Source, dim, have)
	}
	if im.stream, err = im.c.Stream(); errors.Is(err, tarn.ErrNotConfigured) {
		im.stream, err = im.c.EnableStreaming(ctx, streaming)
	}
	return err
}

func (im *importer) all(ctx context.Context, row vecio.Row) (err error) {
	most := min(importBatch, im.stream.Config().BufferSize)
	for err == nil {
		if im.row++; im.row > im.report.Resumed {
			im.add(row)
		}
		if len(im.batch) == most || im.row%(16*importBatch) == 0 {
			if err := im.send(ctx); err != nil {
				return err
			}
		}
		row, err = im.in.Next()
	}
	if !errors.Is(err, io.EOF) {
		return errors.Join(fmt.Errorf("row %d: %w", im.row, err), im.send(ctx))
	}
	if im.row < im.report.Resumed {
		return fmt.Errorf("it has %d rows, and %d were stored from it before: is it another file? --source NAME imports it under another name", im.row, im.report.Resumed)
	}
	return im.send(ctx)
}

func (im *importer) add(row vecio.Row) {
	im.report.Rows++
	if row.Skip != "" {
		im.skip(im.row-1, row.Skip)
		return
	}
	if len(im.vectors) < len(row.Vector) {
		im.memory = make([]float32, importBatch*len(row.Vector))
		im.vectors = im.memory
	}
	n := copy(im.vectors, row.Vector)
	p := tarn.Point{ID: row.ID, Key: row.Key, Vector: im.vectors[:n:n]}
	im.vectors = im.vectors[n:]
	switch {
	case !row.Named && im.byKey:
		p.Key = fmt.Sprint(im.first + im.row - 1)
	case !row.Named:
		p.ID = im.first + im.row - 1
	case im.byKey && p.Key == "":
		p.Key = fmt.Sprint(row.ID)
	}
	im.batch, im.rows = append(im.batch, p), append(im.rows, im.row-1)
}

func (im *importer) skip(row uint64, reason string) {
	im.report.Skipped++
	if len(im.report.Reasons) < maxReasons {
		im.report.Reasons = append(im.report.Reasons, skipped{row, reason})
	}
}

// send sends the batch without the points that can be none.
func (im *importer) send(ctx context.Context) error {
	if im.row <= im.report.Resumed {
		return nil
	}
	for {
		ticket, err := im.stream.SendBatch(ctx, im.batch, tarn.From(im.report.Source, im.row))
		var bad *tarn.InvalidPointError
		if errors.As(err, &bad) && bad.Index < len(im.batch) {
			im.skip(im.rows[bad.Index], bad.Err.Error())
			im.batch, im.rows = slices.Delete(im.batch, bad.Index, bad.Index+1), slices.Delete(im.rows, bad.Index, bad.Index+1)
			continue
		}
		if err != nil {
			return err
		}
		im.last = ticket
		im.report.Stored += uint64(len(im.batch))
		im.sent[im.row] = im.report.Stored
		im.batch, im.rows, im.vectors = im.batch[:0], im.rows[:0], im.memory // what was sent is a copy
		done, total := im.in.Progress()
		im.progress.Show(done, total, im.row)
		return nil
	}
}

func (im *importer) print() error {
	w := im.cmd.Root().Writer
	if im.cmd.Bool("json") {
		return printJSON(w, im.report)
	}
	rows := [][]string{
		{"rows", count(im.report.Rows)}, {"stored before", count(im.report.Resumed)}, {"stored", count(im.report.Stored)},
		{"left out", count(im.report.Skipped)}, {"points now", count(im.report.Points)},
		{"rate", fmt.Sprintf("%s points a second", count(uint64(im.report.PerSecond)))},
	}
	for _, s := range im.report.Reasons {
		rows = append(rows, []string{fmt.Sprintf("row %d", s.Row), s.Reason})
	}
	return table(w, rows)
}
