package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tarndb/tarn/cmd/tarn/internal/godoc"
)

func main() {
	from := flag.String("from", "", "folder of the data set (base.f16bin.gz, base.jsonl.gz, query.f16bin.gz, query.jsonl.gz)")
	to := flag.String("to", "cmd/tarn/internal/godoc/data", "folder to write to")
	flag.Parse()
	if err := run(*from, *to); err != nil {
		fmt.Fprintln(os.Stderr, "convert:", err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	if from == "" {
		return fmt.Errorf("-from is missing: the folder of the data set")
	}
	if err := convert[godoc.Symbol](from, "base", to, "symbols"); err != nil {
		return err
	}
	return convert[godoc.Query](from, "query", to, "queries")
}

func convert[T any](from, source, to, name string) error {
	text, err := os.ReadFile(filepath.Join(from, source+".jsonl.gz"))
	if err != nil {
		return err
	}
	rows, err := godoc.ReadLines[T](bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("%s.jsonl.gz: %w", source, err)
	}
	m, err := readHalf(filepath.Join(from, source+".f16bin.gz"))
	if err != nil {
		return err
	}
	if m.Rows != len(rows) {
		return fmt.Errorf("%s: %d lines for %d vectors", source, len(rows), m.Rows)
	}
	packed, err := godoc.Pack(m)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(to, name+".vec"), packed, 0o644); err != nil {
		return err
	}
	var lines bytes.Buffer
	if err := godoc.WriteLines(&lines, rows); err != nil {
		return fmt.Errorf("%s.jsonl.gz: %w", name, err)
	}
	if err := os.WriteFile(filepath.Join(to, name+".jsonl.gz"), lines.Bytes(), 0o644); err != nil {
		return err
	}
	fmt.Printf("%s: %d x %d, %d bytes of vectors, %d of text\n", name, m.Rows, m.Dim, len(packed), lines.Len())
	return nil
}

func readHalf(path string) (godoc.Matrix, error) {
	f, err := os.Open(path)
	if err != nil {
		return godoc.Matrix{}, err
	}
	defer f.Close()
	m, err := godoc.ReadHalf(f)
	if err != nil {
		return godoc.Matrix{}, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}
