package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/tarndb/tarn"
)

func repairCommand() *cli.Command {
	return &cli.Command{
		Name: "repair", Usage: "salvage what is whole of a damaged store", ArgsUsage: "DIR",
		Description: "Collections that are sound are not touched. Of a damaged one what is whole is written anew, what is lost is\n" +
			"said, and the damaged files are kept aside in DIR/damaged. If meta.db cannot be read, its copy serves.\n\n" +
			"Exit status: 0 nothing was lost; 3 something was; 1 a collection could not be repaired and is as it was.",
		Flags: []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print the report as JSON"}},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.Args().Len() != 1 {
				return usageError(fmt.Sprintf("repair takes DIR, not %q", cmd.Args().Slice()))
			}
			return runRepair(ctx, cmd, cmd.Args().First())
		},
	}
}

// repairedJSON is what repair prints of a collection.
type repairedJSON struct {
	Collection string        `json:"collection"`
	Sound      bool          `json:"sound"`
	Points     int           `json:"points"`
	Lost       int           `json:"lost"`
	Payloads   int           `json:"payloads_lost"`
	Records    uint64        `json:"records_lost"`
	NoEnd      bool          `json:"end_of_log_unknown"`
	Aside      string        `json:"aside,omitempty"`
	Findings   []findingJSON `json:"findings"`
	Error      string        `json:"error,omitempty"`
}

// lossError: all that could be done was done, and something is gone.
type lossError struct {
	points, payloads int
	records          uint64
	noEnd            bool
}

func (e lossError) Error() string {
	text := fmt.Sprintf("lost: %s, %s, %s of the log, each a batch of writes", many(e.points, "point", "points"), many(e.payloads, "payload", "payloads"), many(int(e.records), "record", "records"))
	if e.noEnd {
		text += "; whether the log went on is not known"
	}
	return text + ". A backup may have them"
}

func runRepair(ctx context.Context, cmd *cli.Command, dir string) error {
	ctx, end := watched(ctx, cmd.Root().ErrWriter)
	all, err := tarn.Repair(ctx, dir)
	end()
	if err != nil {
		return err
	}
	var failed []error
	loss := lossError{}
	out := []repairedJSON{}
	for _, r := range all {
		j := repairedJSON{Collection: r.Collection, Sound: r.Sound, Points: r.Points, Lost: r.Lost, Payloads: r.Payloads, Records: r.Records, NoEnd: r.NoEnd, Aside: r.Aside, Findings: findings(r.Findings)}
		if r.Err != nil {
			j.Error = r.Err.Error()
			failed = append(failed, fmt.Errorf("collection %q: %w", r.Collection, r.Err))
		}
		loss.points += r.Lost
		loss.payloads += r.Payloads
		loss.records += r.Records
		loss.noEnd = loss.noEnd || r.NoEnd
		out = append(out, j)
	}
	w := cmd.Root().Writer
	if cmd.Bool("json") {
		err = printJSON(w, map[string]any{"collections": out})
	} else {
		for _, r := range out {
			sayFolded(w, r.line(), "  ")
			for _, f := range r.Findings {
				sayFolded(w, "  "+findingLine(tarn.Finding(f)), "    ")
			}
		}
	}
	if err = errors.Join(append(failed, err)...); err == nil && loss != (lossError{}) {
		return loss
	}
	return err
}

func (r repairedJSON) line() string {
	switch {
	case r.Error != "":
		return fmt.Sprintf("%s: not repaired, and as it was", r.Collection)
	case r.Sound:
		return fmt.Sprintf("%s: sound, %s points", r.Collection, count(r.Points))
	}
	return fmt.Sprintf("%s: repaired, %s kept, %s lost, %s without their payload, %s of the log lost; damaged files in %s",
		r.Collection, many(r.Points, "point", "points"), count(r.Lost), count(r.Payloads), many(int(r.Records), "record", "records"), r.Aside)
}
