package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

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
			_, err = fmt.Fprintf(r.out(), "point    %s\nvector   %s\npayload  %s\n", name(p), firstOf(p.Vector), harmless(string(payload)))
			return err
		},
	}.command()
}

// firstOf returns a vector, or how it begins, on one line of a terminal.
func firstOf(v []float32) string {
	const most = 8
	if len(v) <= most {
		return fmt.Sprint(v)
	}
	var b strings.Builder
	for _, x := range v[:most/2] {
		fmt.Fprintf(&b, "%.3g ", x)
	}
	return fmt.Sprintf("[%s…] %d components; --json prints all", b.String(), len(v))
}
