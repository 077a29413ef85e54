package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/tarndb/tarn"
)

func scrollCommand() *cli.Command {
	return storeCommand{
		name: "scroll", usage: "list points in the order of their ids or keys", collection: true,
		text: "With --json one object a line follows the others, as export writes them.",
		flags: []cli.Flag{
			&cli.StringFlag{Name: "from", Usage: "begin at the id or key `NAME`"},
			&cli.IntFlag{Name: "limit", Usage: "at most `N` points", Value: 20},
			&cli.BoolFlag{Name: "vectors", Usage: "print the vectors too, with --json"},
			filterFlag,
		},
		run: runScroll,
	}.command()
}

func runScroll(ctx context.Context, r *request) error {
	f, err := r.filter()
	if err != nil {
		return err
	}
	points, err := r.page(ctx, r.cmd.String("from"), r.cmd.Int("limit"), f)
	if err != nil {
		return err
	}
	if !r.json() {
		rows := [][]string{{"point", "payload"}}
		for _, p := range points {
			rows = append(rows, []string{name(p), r.brief(p.Payload, 100)})
		}
		return fitted(r.out(), rows)
	}
	e := json.NewEncoder(r.out())
	for _, p := range points {
		j := newPointJSON(p)
		if !r.cmd.Bool("vectors") {
			j.Vector = nil
		}
		if err := e.Encode(j); err != nil {
			return fmt.Errorf("print a point: %w", err)
		}
	}
	return nil
}

// page returns up to limit points from a name on.
func (r *request) page(ctx context.Context, from string, limit int, f tarn.Filter) ([]tarn.Point, error) {
	if r.c.Config().Keys == tarn.StringKeys {
		return r.c.ScrollKeys(ctx, from, limit, f)
	}
	first := uint64(0)
	if from != "" {
		var err error
		if first, err = id(from); err != nil {
			return nil, err
		}
	}
	return r.c.Scroll(ctx, first, limit, f)
}
