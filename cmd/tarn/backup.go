package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"github.com/tarndb/tarn/cmd/tarn/internal/progress"
	"github.com/tarndb/tarn/internal/vfs"
)

func backupCommand() *cli.Command {
	return storeCommand{
		name: "backup", usage: "write a checked, compressed copy of a store to a file", extra: []string{"FILE|-"},
		text: "FILE must not exist; it has its name only when all of it is written and synced. - is standard output.\n" +
			"The store is opened without writing. A program that holds it open calls DB.Backup, while it writes.",
		run: runBackup,
	}.command()
}

func runBackup(ctx context.Context, r *request) error {
	ctx, end := r.watched(ctx)
	defer end()
	if r.args[0] == "-" {
		if progress.IsTerminal(r.out()) {
			return usageError("a backup is no text for a terminal: send it to a file or a pipe")
		}
		return r.db.Backup(ctx, r.out())
	}
	n, err := writeNew(r.args[0], func(w io.Writer) error { return r.db.Backup(ctx, w) })
	end()
	if err != nil {
		return err
	}
	return r.say(map[string]any{"file": r.args[0], "bytes": n}, "%s written to %s", size(n), r.args[0])
}

// writeNew is createNew for bytes in order.
func writeNew(path string, fill func(io.Writer) error) (n int64, err error) {
	return createNew(path, func(f *os.File) error {
		w := bufio.NewWriterSize(f, 1<<20)
		if err := fill(w); err != nil {
			return err
		}
		return w.Flush()
	})
}

func mustBeNew(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s: %w", path, os.ErrExist)
	}
	return nil
}

// createNew makes a file that does not exist: under a temporary name until it is
// whole and synced.
func createNew(path string, fill func(*os.File) error) (n int64, err error) {
	if err := mustBeNew(path); err != nil {
		return 0, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return 0, err
	}
	err = fill(f)
	if err == nil {
		err = f.Sync()
	}
	info, e := f.Stat()
	if err = errors.Join(err, e, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return 0, errors.Join(err, os.Remove(f.Name()))
	}
	dir, err := vfs.OS(filepath.Dir(path))
	if err != nil {
		return info.Size(), err
	}
	return info.Size(), errors.Join(dir.SyncDir("."), dir.Close())
}
