package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/cmd/tarn/internal/vecio"
)

func searchCommand() *cli.Command {
	return storeCommand{
		name: "search", usage: "find the points nearest to a point or a vector", collection: true,
		text: "Asks with the vector of a point (--like NAME: its id or key) or with one from a file (--vector FILE): row --row\n" +
			"of .npy, .fvecs, .bvecs, .fbin, .u8bin, .i8bin or .f16bin, the raw float32 of .f32, or a JSON array of numbers\n" +
			"(- is standard input). The point that --like names is left out of the answer.",
		flags: []cli.Flag{
			&cli.StringFlag{Name: "like", Usage: "ask with the vector of the point `NAME`"},
			&cli.StringFlag{Name: "vector", Usage: "ask with the vector in `FILE`"},
			&cli.StringFlag{Name: "format", Usage: "`FORMAT` of FILE; default: by its name"},
			&cli.IntFlag{Name: "row", Usage: "row `N` of FILE, from 0"},
			&cli.IntFlag{Name: "k", Usage: "at most `N` points", Value: 10},
			&cli.IntFlag{Name: "ef", Usage: "search with a beam of `N`"},
			&cli.BoolFlag{Name: "exact", Usage: "compare with every point"},
			&cli.BoolFlag{Name: "vectors", Usage: "print the vectors too, with --json"},
			filterFlag,
		},
		run: runSearch,
	}.command()
}

func runSearch(ctx context.Context, r *request) error {
	k := r.cmd.Int("k")
	if k < 1 || k > tarn.DefaultMaxK {
		return usageError(fmt.Sprintf("--k is %d: it must be 1 to %d", k, tarn.DefaultMaxK))
	}
	query, self, err := r.query(ctx)
	if err != nil {
		return err
	}
	f, err := r.filter()
	if err != nil {
		return err
	}
	opts := []tarn.SearchOption{tarn.WithFilter(f)}
	if r.cmd.IsSet("ef") {
		opts = append(opts, tarn.WithEf(r.cmd.Int("ef")))
	}
	if r.cmd.Bool("exact") {
		opts = append(opts, tarn.WithExact())
	}
	if r.cmd.Bool("vectors") {
		opts = append(opts, tarn.WithVectors())
	}
	ask := k
	if self != "" {
		ask++ // the point itself is left out
	}
	found, err := r.c.Search(ctx, query, ask, opts...)
	if err != nil {
		return err
	}
	return r.printResults(found, self, k)
}

// query returns the vector to ask with, and the name of the point whose it is.
func (r *request) query(ctx context.Context) (query []float32, self string, err error) {
	like, file := r.cmd.String("like"), r.cmd.String("vector")
	switch {
	case (like == "") == (file == ""):
		return nil, "", usageError("search takes --like NAME or --vector FILE")
	case like != "":
		p, err := r.get(ctx, like)
		return p.Vector, name(p), err
	}
	query, err = r.vectorIn(ctx, file)
	return query, "", err
}

// vectorIn returns a row of a file of vectors.
func (r *request) vectorIn(ctx context.Context, file string) (query []float32, err error) {
	format, row := r.cmd.String("format"), r.cmd.Int("row")
	if format == "" && file != "-" {
		format = vecio.FormatOf(file)
	}
	if row < 0 {
		return nil, usageError(fmt.Sprintf("--row %d: rows begin at 0", row))
	}
	if slices.Contains(vecio.Formats, format) {
		return rowIn(ctx, file, format, row)
	}
	data, err := readInput(file, r.cmd.Root().Reader)
	if err != nil {
		return nil, err
	}
	if format == "f32" {
		return rawRow(file, data, row)
	}
	if row > 0 {
		return nil, usageError(fmt.Sprintf("%s: a JSON array is one vector, there is no row %d", file, row))
	}
	var numbers []*float32
	err = json.Unmarshal(data, &numbers)
	if err == nil && (len(numbers) == 0 || slices.Contains(numbers, nil)) { // what is null would be 0
		err = errors.New("a number is missing")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: it must be a JSON array of numbers; for another format give --format f32, %s: %w", file, strings.Join(vecio.Formats, ", "), err)
	}
	for _, x := range numbers {
		query = append(query, *x)
	}
	return query, nil
}

func rowIn(ctx context.Context, file, format string, row int) ([]float32, error) {
	in, err := vecio.Open(ctx, file, format, vecio.IntKeys)
	if err != nil {
		return nil, err
	}
	defer in.Close() // only read
	for n := 0; ; n++ {
		r, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil, usageError(fmt.Sprintf("%s has %d rows, there is no row %d", file, n, row))
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if n == row {
			return r.Vector, nil
		}
	}
}

// rawRow: a file of one vector, for which nothing says how long it is but its size.
func rawRow(file string, data []byte, row int) ([]float32, error) {
	if row > 0 || len(data) == 0 || len(data)%4 != 0 {
		return nil, usageError(fmt.Sprintf("%s has %d bytes: .f32 is one vector of float32, little-endian", file, len(data)))
	}
	query := make([]float32, len(data)/4)
	for i := range query {
		query[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return query, nil
}

const maxInput = 64 << 20

func readInput(file string, stdin io.Reader) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(io.LimitReader(stdin, maxInput))
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	return io.ReadAll(io.LimitReader(f, maxInput))
}

func (r *request) printResults(found []tarn.Result, self string, k int) error {
	results := []pointJSON{}
	rows := [][]string{{"distance", "point", "payload"}}
	for _, f := range found {
		p := tarn.Point{ID: f.ID, Key: f.Key, Vector: f.Vector, Payload: f.Payload}
		if self != "" && name(p) == self || len(results) == k {
			continue
		}
		j := newPointJSON(p)
		j.Distance = &f.Distance
		results = append(results, j)
		rows = append(rows, []string{fmt.Sprintf("%.4f", f.Distance), name(p), r.brief(f.Payload, 90)})
	}
	if r.json() {
		return r.printJSON(map[string]any{"results": results})
	}
	return fitted(r.out(), rows)
}
