package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v3"
)

func getCommand() *cli.Command {
	return storeCommand{
		name: "get", usage: "print a point by its id or key", collection: true, extra: []string{"NAME"},
		run: func(ctx context.Context, r *request) error {
			p, err := r.get(ctx, r.args[0])
			if err != nil {
				return err
			}
			if r.json() {
				return r.printJSON(newPointJSON(p))
			}
			payload, err := json.MarshalIndent(p.Payload, "", "  ")
			if err != nil {
				return err
			}
			vector, dots := p.Vector, ""
			if len(vector) > 8 {
				vector, dots = vector[:8], fmt.Sprintf(" … %d components; --json prints all", len(p.Vector))
			}
			_, err = fmt.Fprintf(r.out(), "point    %s\nvector   %v%s\npayload  %s\n", name(p), vector, dots, harmless(string(payload)))
			return err
		},
	}.command()
}
