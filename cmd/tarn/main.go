package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/urfave/cli/v3"

	"github.com/tarndb/tarn"
	"github.com/tarndb/tarn/cmd/tarn/internal/endable"
)

const (
	exitFailed = 1 // something failed, or a promise was broken
	exitUsage  = 2 // the command was not understood
	exitPartly = 3 // done, but for what was reported
)

func main() {
	os.Exit(interruptible(func(ctx context.Context) int { return run(ctx, os.Args, os.Stdout, os.Stderr) }))
}

// interruptible calls fn with a context that an interrupt ends.
func interruptible(fn func(ctx context.Context) int) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // from then on an interrupt ends the process
	return fn(ctx)
}

// commands are in the order in which the help lists them.
func commands() []*cli.Command {
	return []*cli.Command{
		demoCommand(), ingestCommand(),
		searchCommand(), getCommand(), scrollCommand(), statsCommand(), inspectCommand(), benchCommand(),
		verifyCommand(), repairCommand(), backupCommand(), restoreCommand(), compactCommand(), rebuildCommand(),
		importCommand(), exportCommand(),
	}
}

// usageError is a command line that was not understood.
type usageError string

func (e usageError) Error() string { return string(e) }

// run executes the command line args and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var misuse usageError
	unknown := false
	said := &noting{w: endable.Writer(ctx, stdout)}
	root := &cli.Command{
		Name:                  "tarn",
		Usage:                 "an embedded vector store",
		Reader:                endable.Reader(ctx, os.Stdin),
		Writer:                said,
		ErrWriter:             stderr,
		Commands:              commands(),
		Suggest:               true,
		EnableShellCompletion: true,
		OnUsageError: func(_ context.Context, c *cli.Command, err error, _ bool) error {
			return usageError(fmt.Sprintf("%v; %s --help says more", err, c.FullName()))
		},
		CommandNotFound: func(_ context.Context, _ *cli.Command, name string) {
			unknown = true
			fmt.Fprintf(stderr, "tarn: there is no command %q; tarn help lists them\n", name)
		},
		ExitErrHandler: func(context.Context, *cli.Command, error) {}, // the exit status is run's
	}
	for _, c := range root.Commands {
		helped(c).OnUsageError = root.OnUsageError
	}
	err := root.Run(ctx, ordered(args, root.Commands))
	if err != nil {
		sayFolded(stderr, "tarn: "+explain(err), "      ")
		if !said.anything && slices.Contains(args, "--json") {
			_ = printJSON(said, map[string]string{"error": err.Error()}) // standard error has it
		}
	}
	switch {
	case unknown, errors.As(err, &misuse), errors.Is(err, tarn.ErrInvalidArgument), errors.Is(err, tarn.ErrInvalidName), errors.Is(err, tarn.ErrInvalidConfig):
		return exitUsage
	case errors.As(err, new(badLinesError)), errors.As(err, new(lossError)):
		return exitPartly
	case err != nil:
		return exitFailed
	}
	return 0
}
