package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/tarndb/tarn/internal/meta"
	"github.com/tarndb/tarn/internal/vfs"
	"github.com/tarndb/tarn/wal"
)

func inspectCommand() *cli.Command {
	return storeCommand{
		name: "inspect", usage: "tell what is in each file of a collection", collection: true,
		text: "Segments and records of the log, checkpoint, graph file, slot files, places in sources.",
		run:  runInspect,
	}.command()
}

// inspection is what inspect prints.
type inspection struct {
	Files      []fileJSON        `json:"files"`
	Checkpoint checkpointJSON    `json:"checkpoint"`
	Log        logJSON           `json:"log"`
	Positions  map[string]uint64 `json:"positions"`
	Config     string            `json:"config"`
}

type fileJSON struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	Holds string `json:"holds"`
}

type checkpointJSON struct {
	LSN        uint64 `json:"lsn"`
	Generation uint64 `json:"generation"`
	Slots      uint32 `json:"slots"`
	Live       int    `json:"live"`
	Graph      string `json:"graph,omitempty"`
}

type logJSON struct {
	Records  int      `json:"records"` // behind the checkpoint
	First    uint64   `json:"first_lsn"`
	Last     uint64   `json:"last_lsn"`
	Bytes    int64    `json:"record_bytes"`
	Problems []string `json:"problems,omitempty"`
}

func runInspect(ctx context.Context, r *request) (err error) {
	dir, err := vfs.OS(filepath.Join(r.dir, "collections", r.c.Name()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	in := inspection{}
	uuid, err := in.tables(dir)
	if err != nil {
		return err
	}
	if err := in.log(ctx, dir, uuid); err != nil {
		return err
	}
	if err := in.files(filepath.Join(r.dir, "collections", r.c.Name())); err != nil {
		return err
	}
	if r.json() {
		return r.printJSON(in)
	}
	return in.print(r)
}

func (in *inspection) tables(dir vfs.FS) (uuid [16]byte, err error) {
	m, err := meta.Open(dir, "meta.db", true)
	if err != nil {
		return uuid, err
	}
	config, err := m.Config()
	ck, e := m.Checkpoint()
	places, e2 := m.Positions()
	if err := errors.Join(err, e, e2, m.Close()); err != nil {
		return uuid, err
	}
	in.Config, in.Positions = string(config), places
	in.Checkpoint = checkpointJSON{ck.LSN, ck.Generation, ck.Slots, ck.Live.Len(), ck.Snapshot}
	return m.UUID(), nil
}

// log counts the records behind the checkpoint.
func (in *inspection) log(ctx context.Context, dir vfs.FS, uuid [16]byte) (err error) {
	sub, err := dir.Sub("wal")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sub.Close()) }()
	_, err = wal.Salvage(ctx, sub, uuid, in.Checkpoint.LSN, func(rec wal.Record) error {
		if in.Log.Records++; in.Log.Records == 1 {
			in.Log.First = rec.LSN
		}
		in.Log.Last = rec.LSN
		in.Log.Bytes += int64(len(rec.Payload))
		return nil
	}, func(f wal.Finding) {
		in.Log.Problems = append(in.Log.Problems, fmt.Sprintf("wal/%s: offset %d: %s", f.File, f.Offset, f.Problem))
	})
	return err
}

func (in *inspection) files(root string) error {
	return filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		in.Files = append(in.Files, fileJSON{filepath.ToSlash(name), info.Size(), in.holds(filepath.ToSlash(name))})
		return nil
	})
}

func (in *inspection) holds(name string) string {
	base := name[strings.LastIndexByte(name, '/')+1:]
	stem, kind, _ := strings.Cut(base, ".")
	var n uint64
	_, err := fmt.Sscanf(stem, "%x", &n)
	switch {
	case name == "meta.db":
		return fmt.Sprintf("configuration, payloads, %s", many(len(in.Positions), "place in a source", "places in sources"))
	case name == "meta.copy":
		return "its small records once more, for repair"
	case name == "fields.idx":
		return "indexes of the declared fields"
	case name == in.Checkpoint.Graph:
		return "the graph that the checkpoint names"
	case in.Checkpoint.Graph != "" && name == strings.TrimSuffix(in.Checkpoint.Graph, ".snap")+".left":
		return "what is searched exactly beside that graph"
	case kind == "wal" && err == nil:
		return fmt.Sprintf("log from write %s on", count(n))
	case kind == "vec" && err == nil:
		return fmt.Sprintf("vectors of chunk %d", n)
	case kind == "code" && err == nil:
		return fmt.Sprintf("8-bit codes of chunk %d", n)
	case kind == "side" && err == nil:
		return fmt.Sprintf("ids and checksums of chunk %d", n)
	}
	return "nothing that is in use"
}

func (in *inspection) print(r *request) error {
	rows := [][]string{{"file", "size", "holds"}}
	for _, f := range in.Files {
		rows = append(rows, []string{f.Name, size(f.Bytes), f.Holds})
	}
	if err := fitted(r.out(), rows); err != nil {
		return err
	}
	ck := in.Checkpoint
	if _, err := fmt.Fprintln(r.out()); err != nil {
		return err
	}
	rows = [][]string{
		{"checkpoint", fmt.Sprintf("number %d, at write %s: %s slots, %s of them live", ck.Generation, count(ck.LSN), count(ck.Slots), count(ck.Live))},
		{"log behind it", fmt.Sprintf("%s records, %s", count(in.Log.Records), size(in.Log.Bytes))},
	}
	label := "configuration"
	for _, line := range configLines(in.Config) {
		rows = append(rows, []string{label, line})
		label = ""
	}
	for _, source := range slices.Sorted(maps.Keys(in.Positions)) {
		rows = append(rows, []string{"source", fmt.Sprintf("%s at %s", shown(source), count(in.Positions[source]))})
	}
	for _, p := range in.Log.Problems {
		rows = append(rows, []string{"problem", p})
	}
	return table(r.out(), rows)
}

// configLines returns what is configured, a line each.
func configLines(config string) []string {
	var all any
	d := json.NewDecoder(strings.NewReader(config))
	d.UseNumber()
	if d.Decode(&all) != nil {
		return []string{shown(config)}
	}
	return flat(nil, "", all)
}

// flat appends a line for each value in a JSON value, with the names that lead to it.
func flat(lines []string, name string, v any) []string {
	fields, ok := v.(map[string]any)
	if !ok {
		return append(lines, shown(fmt.Sprintf("%s %v", name, v)))
	}
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		lines = flat(lines, strings.TrimPrefix(name+"."+field, "."), fields[field])
	}
	return lines
}
