package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/tarndb/tarn"
)

func verifyCommand() *cli.Command {
	return storeCommand{
		name: "verify", usage: "read every byte of a store and compare it with its checksums",
		text: "Changes nothing. Exit status 1 if anything is damaged; tarn repair then salvages what is whole.",
		run:  runVerify,
	}.command()
}

// findingJSON is one damage.
type findingJSON struct {
	Collection string `json:"collection,omitempty"`
	File       string `json:"file"`
	Offset     int64  `json:"offset"`
	Problem    string `json:"problem"`
}

func runVerify(ctx context.Context, r *request) error {
	ctx, end := r.watched(ctx)
	report, err := r.db.Verify(ctx)
	end()
	if err != nil {
		return err
	}
	if err := r.say(map[string]any{
		"points": report.Points, "bytes": report.Bytes, "findings": findings(report.Findings),
	}, "%s points, %s read", count(report.Points), size(report.Bytes)); err != nil {
		return err
	}
	if !r.json() {
		for _, f := range report.Findings {
			sayFolded(r.out(), findingLine(f), "  ")
		}
	}
	if n := len(report.Findings); n > 0 {
		return fmt.Errorf("%w: %s", tarn.ErrCorrupt, many(n, "finding", "findings"))
	}
	return nil
}

func findings(all []tarn.Finding) []findingJSON {
	out := []findingJSON{}
	for _, f := range all {
		out = append(out, findingJSON(f))
	}
	return out
}

func findingLine(f tarn.Finding) string {
	if f.Offset < 0 {
		return fmt.Sprintf("%s: %s", f.File, f.Problem)
	}
	return fmt.Sprintf("%s: offset %d: %s", f.File, f.Offset, f.Problem)
}
