package main

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/tarndb/tarn"
)

func statsCommand() *cli.Command {
	return storeCommand{
		name: "stats", usage: "tell what each collection holds and where",
		text: "--watch prints again and again, opening the store anew each time: nobody else may write it meanwhile.\n" +
			"A program that holds its store open prints Collection.Stats itself.",
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "watch", Usage: "print again every --every"},
			&cli.DurationFlag{Name: "every", Usage: "with --watch: `DURATION` between two prints", Value: 2 * time.Second},
			&cli.IntFlag{Name: "count", Usage: "with --watch: end after `N` prints"},
		},
		run: runStats,
	}.command()
}

// statsJSON is what stats prints of a collection.
type statsJSON struct {
	Name      string `json:"name"`
	Dim       int    `json:"dim"`
	Metric    string `json:"metric"`
	Keys      string `json:"keys"`
	Points    int    `json:"points"`
	Deleted   int    `json:"deleted"`
	InGraph   int    `json:"in_graph"`
	InDelta   int    `json:"in_delta"`
	LogBytes  int64  `json:"log_bytes"`
	DiskBytes int64  `json:"disk_bytes"`
	Streaming bool   `json:"streaming"`
	WriteMode string `json:"write_mode"`
	Applied   uint64 `json:"applied_lsn"`
	Durable   uint64 `json:"durable_lsn"`
	Covered   uint64 `json:"checkpoint_lsn"`
}

func runStats(ctx context.Context, r *request) error {
	for n := 1; ; n++ {
		if err := r.printStats(); err != nil || !r.cmd.Bool("watch") || n == r.cmd.Int("count") {
			return err
		}
		select {
		case <-ctx.Done():
			return nil // an interrupt is how watching ends
		case <-time.After(r.cmd.Duration("every")):
		}
		if err := r.db.Close(); err != nil {
			return err
		}
		db, err := openStore(r.dir, true)
		if err != nil {
			return err
		}
		r.db = db
		if !r.json() {
			fmt.Fprintln(r.out())
		}
	}
}

func (r *request) printStats() error {
	all := []statsJSON{}
	rows := [][]string{{"collection", "dim", "metric", "points", "deleted", "graph", "beside", "log", "disk", "write"}}
	for _, name := range r.db.Collections() {
		c, err := r.db.Collection(name)
		if err != nil {
			return err
		}
		s := newStatsJSON(c)
		all = append(all, s)
		rows = append(rows, []string{
			s.Name, fmt.Sprint(s.Dim), s.Metric, count(s.Points), count(s.Deleted), count(s.InGraph), count(s.InDelta),
			size(s.LogBytes), size(s.DiskBytes), count(s.Applied),
		})
	}
	if r.json() {
		return r.printJSON(map[string]any{"collections": all})
	}
	return table(r.out(), rows)
}

func newStatsJSON(c *tarn.Collection) statsJSON {
	cfg, st := c.Config(), c.Stats()
	return statsJSON{
		Name: c.Name(), Dim: cfg.Dim, Metric: cfg.Metric.String(), Keys: cfg.Keys.String(), WriteMode: cfg.WriteMode.String(),
		Points: st.Points, Deleted: st.Deleted, InGraph: st.InGraph, InDelta: st.InDelta,
		LogBytes: st.WALBytes, DiskBytes: st.DiskBytes, Streaming: cfg.Streaming != nil,
		Applied: st.AppliedLSN, Durable: st.DurableLSN, Covered: st.CheckpointLSN,
	}
}
