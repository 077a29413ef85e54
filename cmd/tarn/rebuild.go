package main

import (
	"context"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/tarndb/tarn"
)

func rebuildCommand() *cli.Command {
	return storeCommand{
		name: "rebuild", usage: "build a graph anew, with other parameters if given", collection: true, writes: true,
		text: "What is given is stored with the collection; the rest stays as it is. docs/tuning.md says what it does.",
		flags: []cli.Flag{
			&cli.IntFlag{Name: "m", Usage: "`N` links per point"},
			&cli.IntFlag{Name: "ef-construction", Usage: "beam of `N` while building"},
			&cli.IntFlag{Name: "ef-search", Usage: "beam of `N` of searches that ask for none"},
		},
		run: func(ctx context.Context, r *request) error {
			cfg := tarn.IndexConfig{M: r.cmd.Int("m"), EfConstruction: r.cmd.Int("ef-construction"), EfSearch: r.cmd.Int("ef-search")}
			start := time.Now()
			ctx, end := r.watched(ctx)
			err := r.c.Rebuild(ctx, cfg)
			end()
			if err != nil {
				return err
			}
			took := time.Since(start)
			st := r.c.Stats()
			return r.say(map[string]any{"in_graph": st.InGraph, "seconds": took.Seconds()},
				"%s points in the graph, built in %.1f s", count(st.InGraph), took.Seconds())
		},
	}.command()
}
