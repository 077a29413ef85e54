package main

import (
	"context"

	"github.com/urfave/cli/v3"
)

func compactCommand() *cli.Command {
	return storeCommand{
		name: "compact", usage: "give the space of deleted points back", collection: true, writes: true,
		run: func(ctx context.Context, r *request) error {
			before := r.c.Stats().DiskBytes
			ctx, end := r.watched(ctx)
			err := r.c.Compact(ctx)
			end()
			if err != nil {
				return err
			}
			after := r.c.Stats()
			return r.say(map[string]any{"before_bytes": before, "after_bytes": after.DiskBytes, "points": after.Points},
				"%s before, %s now, for %s points", size(before), size(after.DiskBytes), count(after.Points))
		},
	}.command()
}
