package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v3"
)

func compactCommand() *cli.Command {
	return storeCommand{
		name: "compact", usage: "give the space of deleted points back", collection: true, writes: true,
		text: "What it tells are lengths of files. The log and the tables reserve room for writes to come: a small\n" +
			"collection may take more afterwards.",
		run: runCompact,
	}.command()
}

// compacted is what compact prints.
type compacted struct {
	Before        int64      `json:"before_bytes"`
	After         int64      `json:"after_bytes"`
	Points        int        `json:"points"`
	DeletedBefore int        `json:"deleted_before"` // that took space
	DeletedAfter  int        `json:"deleted_after"`
	Parts         []partJSON `json:"parts"`
}

type partJSON struct {
	Name   string `json:"name"`
	Before int64  `json:"before_bytes"`
	After  int64  `json:"after_bytes"`
}

func runCompact(ctx context.Context, r *request) error {
	was := r.c.Stats()
	before, err := r.parts()
	if err != nil {
		return err
	}
	ctx, end := r.watched(ctx)
	err = r.c.Compact(ctx)
	end()
	if err != nil {
		return err
	}
	now := r.c.Stats()
	after, err := r.parts()
	if err != nil {
		return err
	}
	out := compacted{Before: was.DiskBytes, After: now.DiskBytes, Points: now.Points, DeletedBefore: was.Deleted, DeletedAfter: now.Deleted}
	for _, name := range partNames {
		if before[name] > 0 || after[name] > 0 {
			out.Parts = append(out.Parts, partJSON{name, before[name], after[name]})
		}
	}
	if r.json() {
		return r.printJSON(out)
	}
	return out.print(r.out())
}

// The parts of a collection's files, as a user knows them.
const (
	partVectors = "vectors"
	partGraph   = "graph"
	partFields  = "field indexes"
	partTables  = "tables"
	partLog     = "log"
)

var partNames = []string{partVectors, partGraph, partFields, partTables, partLog}

// parts returns how long the files of each part of the collection are.
func (r *request) parts() (map[string]int64, error) {
	sums := map[string]int64{}
	root := filepath.Join(r.dir, "collections", r.c.Name())
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = e.Info(); err == nil {
				sums[part(path)] += info.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed since it was listed
		}
		return err
	})
	return sums, err
}

// part returns what a file belongs to.
func part(path string) string {
	switch base, kind := filepath.Base(path), filepath.Ext(path); {
	case kind == ".vec", kind == ".code", kind == ".side":
		return partVectors
	case kind == ".wal", filepath.Base(filepath.Dir(path)) == "wal":
		return partLog
	case strings.HasPrefix(base, "graph-"):
		return partGraph
	case strings.HasPrefix(base, "fields."):
		return partFields
	}
	return partTables
}

func (c compacted) print(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%s before, %s now, for %s\n", size(c.Before), size(c.After), many(c.Points, "point", "points")); err != nil {
		return err
	}
	deleted := []string{"  deleted points", count(c.DeletedBefore), count(c.DeletedAfter)}
	if c.DeletedBefore == 0 {
		deleted = append(deleted, "none took space")
	}
	rows := [][]string{deleted}
	for _, p := range c.Parts {
		row := []string{"  " + p.Name, size(p.Before), size(p.After)}
		if note := p.grown(); note != "" {
			row = append(row, note)
		}
		rows = append(rows, row)
	}
	return table(w, rows)
}

// grown is why a part takes more than before, "" if it does not or as points do.
func (p partJSON) grown() string {
	switch {
	case p.After <= p.Before:
		return ""
	case p.Name == partLog:
		return "a new segment, reserved for writes to come"
	case p.Name == partTables:
		return "written anew, with room for writes to come"
	}
	return ""
}
