package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/cmd/tarn/internal/ingest"
	"github.com/tarndb/tarn/cmd/tarn/internal/progress"
)

func ingestCommand() *cli.Command {
	return &cli.Command{
		Name:      "ingest",
		Usage:     "stream points from NDJSON into a collection, each line once",
		ArgsUsage: "DIR COLLECTION [FILE|-]",
		Description: "Each line of FILE is one object (- or nothing: standard input; .gz is unpacked):\n\n" +
			"   {\"id\": 7, \"vector\": [0.1, 0.2, 0.3], \"payload\": {\"title\": \"a small lake\"}}\n" +
			"   {\"id\": 7, \"delete\": true}\n\n" +
			"\"key\" stands for \"id\" where strings name the points (--keys string, when the collection is made).\n\n" +
			"The number of the last line is stored in the same record as its points, under the source's name. After a\n" +
			"crash, an interrupt or a kill, --resume goes on behind it: nothing is written twice, nothing is left out.\n" +
			"Another file, or other lines of standard input, are another source: --source gives it a name.\n" +
			"Lines that cannot be stored go to the side file with their number and the reason, and stop nothing.\n" +
			"Streaming is switched on if the collection has none, and stays on.\n\n" +
			"Exit status: 0 every line is stored and durable; 3 every line but those in the side file; 1 it ended early,\n" +
			"what the summary says is stored; 2 the command was not understood.",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "dim", Usage: "make the collection, if need be, for `N` dimensions"},
			&cli.StringFlag{Name: "metric", Usage: "with --dim: `METRIC` is cosine, l2 or dot", Value: "cosine"},
			&cli.StringFlag{Name: "keys", Usage: "with --dim: `TYPE` is uint64 or string", Value: "uint64"},
			&cli.BoolFlag{Name: "resume", Usage: "go on behind the last line that is stored"},
			&cli.StringFlag{Name: "source", Usage: "keep the place under `NAME`; default: FILE's path, or stdin"},
			&cli.StringFlag{Name: "bad", Usage: "write bad lines to `FILE`; default: FILE.bad, or stdin.bad"},
			&cli.BoolFlag{Name: "json", Usage: "print the summary as JSON"},
		},
		Action: runIngest,
	}
}

func runIngest(ctx context.Context, cmd *cli.Command) (err error) {
	args := cmd.Args().Slice()
	if len(args) < 2 || len(args) > 3 {
		return usageError(fmt.Sprintf("ingest takes DIR COLLECTION [FILE|-], not %q", args))
	}
	o, err := ingestOptions(cmd, append(args, "-")[2])
	if err != nil {
		return err
	}
	if o.File != "-" {
		if _, err := os.Stat(o.File); err != nil {
			return err
		}
	}
	db, done, err := makeStore(args[0])
	if err != nil {
		return err
	}
	defer func() {
		if e := done(); e != nil {
			if errors.As(err, new(badLinesError)) {
				err = nil // there is something worse to tell
			}
			err = errors.Join(err, e)
		}
	}()
	c, err := ingestInto(ctx, cmd, db, args[1])
	if err != nil {
		return err
	}
	sum, err := runLines(ctx, cmd, c, o)
	if err := errors.Join(err, printSummary(cmd, sum)); err != nil {
		return err
	}
	if sum.Bad > 0 {
		return badLinesError{sum}
	}
	return nil
}

// runLines is ingest.Run, which shows what it does and ends when the disk stays full.
func runLines(ctx context.Context, cmd *cli.Command, c *tarn.Collection, o ingest.Options) (ingest.Summary, error) {
	show := &reading{show: progress.New(cmd.Root().ErrWriter), what: "line"}
	o.Progress = show
	ctx, end := show.watchStream(ctx, c)
	defer end()
	sum, err := ingest.Run(ctx, c, o)
	return sum, fullness(ctx, err)
}

// badLinesError: all was done but for some lines.
type badLinesError struct{ sum ingest.Summary }

func (e badLinesError) Error() string {
	return fmt.Sprintf("%s could not be stored: see %s", many(int(e.sum.Bad), "line", "lines"), e.sum.BadFile)
}

func ingestOptions(cmd *cli.Command, file string) (ingest.Options, error) {
	o := ingest.Options{File: file, Stdin: cmd.Root().Reader, Source: cmd.String("source"), BadFile: cmd.String("bad"), Resume: cmd.Bool("resume")}
	name, bad := "stdin", "stdin.bad"
	if file != "-" {
		path, err := filepath.Abs(file)
		if err != nil {
			return o, err
		}
		name, bad = path, file+".bad"
	}
	if o.Source == "" {
		o.Source = name
	}
	if o.BadFile == "" {
		o.BadFile = bad
	}
	return o, nil
}

// dimMakes is what an error says where there is no collection: lines do not say of what
// dimension, metric and names it would be.
const dimMakes = "--dim N makes it, --metric and --keys say how"

// ingestInto returns the collection, which --dim creates. What no flag says is as in
// the collection that is there.
func ingestInto(ctx context.Context, cmd *cli.Command, db *tarn.DB, name string) (*tarn.Collection, error) {
	if !cmd.IsSet("dim") {
		c, err := db.Collection(name)
		if errors.Is(err, tarn.ErrNotFound) {
			err = fmt.Errorf("%w; %s", err, dimMakes)
		}
		return c, err
	}
	metric, err := metricFlag(cmd)
	if err != nil {
		return nil, err
	}
	keys, err := keysFlag(cmd)
	if err != nil {
		return nil, err
	}
	if have, err := db.Collection(name); err == nil {
		if !cmd.IsSet("metric") {
			metric = have.Config().Metric
		}
		if !cmd.IsSet("keys") {
			keys = have.Config().Keys
		}
	}
	s := tarn.DefaultStreamingConfig()
	return db.EnsureCollection(ctx, name, tarn.CollectionConfig{Dim: cmd.Int("dim"), Metric: metric, Keys: keys, Streaming: &s})
}

// metricFlag returns what --metric says.
func metricFlag(cmd *cli.Command) (tarn.Metric, error) {
	metric, ok := map[string]tarn.Metric{"cosine": tarn.Cosine, "l2": tarn.L2, "dot": tarn.Dot}[strings.ToLower(cmd.String("metric"))]
	if !ok {
		return 0, usageError(fmt.Sprintf("--metric is cosine, l2 or dot, not %q", cmd.String("metric")))
	}
	return metric, nil
}

// keysFlag returns what --keys says of a collection.
func keysFlag(cmd *cli.Command) (tarn.KeyKind, error) {
	keys, ok := map[string]tarn.KeyKind{"uint64": tarn.Uint64Keys, "string": tarn.StringKeys}[cmd.String("keys")]
	if !ok {
		return 0, usageError(fmt.Sprintf("--keys is uint64 or string, not %q", cmd.String("keys")))
	}
	return keys, nil
}

func printSummary(cmd *cli.Command, s ingest.Summary) error {
	w := cmd.Root().Writer
	if cmd.Bool("json") {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(s)
	}
	_, err := fmt.Fprintf(w, "stored    %s, %s, from %s in %.1f s (%s points a second)\n"+
		"bad       %s\nposition  line %s of %s\npoints    %s in %s\n",
		many(int(s.Stored), "point", "points"), many(int(s.Deleted), "delete", "deletes"), many(int(s.Lines), "line", "lines"), s.Seconds, count(int(s.PerSecond)),
		many(int(s.Bad), "line", "lines"), count(s.Position), shown(s.Source), count(s.Points), s.Collection)
	if err == nil && s.Resumed > 0 {
		_, err = fmt.Fprintf(w, "resumed   behind line %d\n", s.Resumed)
	}
	return err
}
