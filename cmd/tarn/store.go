package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/tarndb/tarn"
)

// storeCommand is a command on a store: DIR, then COLLECTION if it works on one,
// then as many arguments as extra names.
type storeCommand struct {
	name, usage, text string
	collection        bool
	extra             []string // the last ones may be in brackets
	writes            bool     // else the store is opened without writing a byte
	flags             []cli.Flag
	run               func(ctx context.Context, r *request) error
}

// request is one call of a storeCommand.
type request struct {
	cmd  *cli.Command
	dir  string
	db   *tarn.DB
	c    *tarn.Collection
	args []string // what follows DIR and COLLECTION
}

func (s storeCommand) command() *cli.Command {
	usage := "DIR"
	if s.collection {
		usage += " COLLECTION"
	}
	return &cli.Command{
		Name: s.name, Usage: s.usage, Description: s.text,
		ArgsUsage: strings.TrimSpace(usage + " " + strings.Join(s.extra, " ")),
		Flags:     append(s.flags, &cli.BoolFlag{Name: "json", Usage: "print the result as JSON"}),
		Action:    s.action,
	}
}

func (s storeCommand) action(ctx context.Context, cmd *cli.Command) (err error) {
	r := &request{cmd: cmd}
	args := cmd.Args().Slice()
	fixed := 1
	if s.collection {
		fixed = 2
	}
	needed := fixed
	for _, e := range s.extra {
		if !strings.HasPrefix(e, "[") {
			needed++
		}
	}
	if len(args) < needed || len(args) > fixed+len(s.extra) {
		return usageError(fmt.Sprintf("%s takes %s, not %q; tarn %s --help says more", s.name, cmd.ArgsUsage, args, s.name))
	}
	r.dir, r.args = args[0], args[fixed:]
	if r.db, err = openStore(r.dir, !s.writes); err != nil {
		return err
	}
	defer func() {
		if e := r.db.Close(); err == nil {
			err = e // else it follows from what is told
		}
	}()
	if s.collection {
		if r.c, err = r.db.Collection(args[1]); err != nil {
			return r.misnamed(err)
		}
	}
	return s.run(ctx, r)
}

// misnamed adds to the error of a name what the library does not say.
func (r *request) misnamed(err error) error {
	have := r.db.Collections()
	switch {
	case errors.Is(err, tarn.ErrInvalidName):
		return fmt.Errorf("%w; %s holds: %s", err, r.dir, list(have))
	case errors.Is(err, tarn.ErrNotFound) && len(have) == 0:
		return fmt.Errorf("%w; %s", err, ingestMakes)
	}
	return err
}

// openStore opens a store that must be there: a command that looks at one, or
// changes one, makes none.
func openStore(dir string, readOnly bool) (*tarn.DB, error) {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open database %q: %w", dir, tarn.ErrNotFound)
	}
	if _, err := os.Stat(filepath.Join(dir, "tarn.db")); errors.Is(err, os.ErrNotExist) {
		readOnly = true // there is none, and none is made: it says what there is
	}
	return tarn.Open(dir, &tarn.Options{ReadOnly: readOnly, MaxK: tarn.DefaultMaxK + 1}) // search leaves one out
}

// makeStore opens a store, or makes one, and returns how it is closed: if there is no
// collection in it then, nothing of what was made is left.
func makeStore(dir string) (*tarn.DB, func() error, error) {
	first := missing(dir)
	had, err := os.ReadDir(dir)
	bare := err == nil && len(had) == 0
	db, err := tarn.Open(dir, nil)
	if err != nil {
		return nil, nil, err
	}
	return db, func() error {
		undo := len(db.Collections()) == 0 && (first != "" || bare)
		err := db.Close()
		if !undo {
			return err
		}
		made, e := os.ReadDir(dir)
		err = errors.Join(err, e)
		for _, m := range made {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, m.Name())))
		}
		for at := filepath.Clean(dir); first != ""; at = filepath.Dir(at) {
			if os.Remove(at) != nil || at == filepath.Clean(first) {
				break // somebody else has something in it by now
			}
		}
		return err
	}, nil
}

// missing returns the topmost folder that has to be made for dir, "" for none.
func missing(dir string) (first string) {
	for {
		if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
			return first
		}
		first, dir = dir, filepath.Dir(dir)
	}
}

func list(names []string) string {
	if len(names) == 0 {
		return "no collection"
	}
	return strings.Join(names, ", ")
}

// shown returns a text of somebody's on one line, quoted if it would do something to a
// terminal.
func shown(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

// name is how a point is shown: by key or by id.
func name(p tarn.Point) string {
	if p.Key != "" {
		return shown(p.Key)
	}
	return strconv.FormatUint(p.ID, 10)
}

// id parses what names a point by number.
func id(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, usageError(fmt.Sprintf("%q is no id: this collection names points by numbers from 0 to 2^64-1", s))
	}
	return n, nil
}

// get returns the point of that name.
func (r *request) get(ctx context.Context, name string) (tarn.Point, error) {
	if r.c.Config().Keys == tarn.StringKeys {
		return r.c.GetKey(ctx, name)
	}
	n, err := id(name)
	if err != nil {
		return tarn.Point{}, err
	}
	return r.c.Get(ctx, n)
}

var filterFlag = &cli.StringFlag{Name: "filter", Usage: "only points that `JSON` holds of, as {\"year\":{\"$gte\":2020}}"}

// filter returns what --filter asks for, nil for nothing.
func (r *request) filter() (tarn.Filter, error) {
	s := r.cmd.String("filter")
	if s == "" {
		return nil, nil
	}
	f, err := tarn.ParseFilter([]byte(s))
	if err != nil {
		return nil, usageError(err.Error())
	}
	return f, nil
}
