package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v3"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/cmd/tarn/internal/endable"
	"github.com/tarndb/tarn/cmd/tarn/internal/progress"
)

func restoreCommand() *cli.Command {
	return &cli.Command{
		Name: "restore", Usage: "make a store of what backup wrote", ArgsUsage: "DIR FILE|-",
		Description: "DIR must not exist. All of the backup is checked before DIR has its name; of one that is cut short or\n" +
			"damaged nothing is left.",
		Flags: []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print the result as JSON"}},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			args := cmd.Args().Slice()
			if len(args) != 2 {
				return usageError(fmt.Sprintf("restore takes DIR FILE|-, not %q", args))
			}
			return runRestore(ctx, cmd, args[0], args[1])
		},
	}
}

func runRestore(ctx context.Context, cmd *cli.Command, dir, file string) error {
	in, total := cmd.Root().Reader, 0
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close() // only read
		in = endable.Reader(ctx, f)
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			in, total = f, int(info.Size())
		}
	}
	show := progress.New(cmd.Root().ErrWriter)
	show.Start("reading the backup", total, progress.Bytes)
	err := tarn.Restore(ctx, dir, bufio.NewReaderSize(&measured{r: in, show: show}, 1<<20))
	show.Stop()
	switch {
	case errors.Is(err, tarn.ErrCorrupt):
		err = noBackupError{err}
	case errors.Is(err, tarn.ErrExists):
		err = takenError{err}
	}
	if err != nil {
		return err
	}
	db, err := openStore(dir, true)
	if err != nil {
		return err
	}
	r := &request{cmd: cmd, dir: dir, db: db}
	return errors.Join(r.printStats(), r.db.Close())
}
