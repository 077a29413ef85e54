package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/tarndb/tarn/cmd/tarn/internal/demo"
	"github.com/tarndb/tarn/cmd/tarn/internal/godoc"
	"github.com/tarndb/tarn/cmd/tarn/internal/progress"
)

func demoCommand() *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "live a store's life on real data, and check every promise",
		Description: "Streams the doc comments of Go's standard library into a new store while a searcher asks for what was\n" +
			"just acknowledged and the index is rebuilt; closes the store, opens it again, goes on, and checks that\n" +
			"nothing is missing and nothing deleted came back. Exit status 1 if a promise was broken.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "print the report as JSON"},
			&cli.StringFlag{Name: "dir", Usage: "keep the store in `FOLDER`, which must not hold a demo yet"},
		},
		Action: runDemo,
	}
}

func runDemo(ctx context.Context, cmd *cli.Command) error {
	if cmd.Args().Present() {
		return usageError(fmt.Sprintf("demo takes no arguments, only flags: %q", cmd.Args().Slice()))
	}
	set, err := godoc.Load()
	if err != nil {
		return err
	}
	show := progress.NewLines(cmd.Root().ErrWriter, 0)
	if w := cmd.Root().ErrWriter; progress.IsTerminal(w) {
		show = progress.NewBar(w)
	}
	defer show.Stop()
	report, err := demo.Run(ctx, set, demo.Options{Dir: cmd.String("dir"), Progress: show})
	if err != nil {
		return err
	}
	out := cmd.Root().Writer
	columns := progress.Columns(out)
	if columns == 0 {
		columns = 120 // a file is as wide as one likes
	}
	if cmd.Bool("json") {
		err = report.WriteJSON(out)
	} else {
		err = report.WriteText(out, columns)
	}
	if err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	if broken := report.Broken(); len(broken) > 0 {
		return fmt.Errorf("broken promises: %s", strings.Join(broken, "; "))
	}
	return nil
}
