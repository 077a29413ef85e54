package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
)

// ordered returns a command line that means the same to the parser of flags, which
// leaves out all that follows a "-" that stands for standard input or output: flags come
// first then, and the arguments behind "--".
func ordered(args []string, commands []*cli.Command) []string {
	if len(args) < 2 || !slices.Contains(args, "-") {
		return args
	}
	at := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.Name == args[1] })
	if at < 0 {
		return args
	}
	flags, rest, named := slices.Clone(args[:2]), []string(nil), args[2:]
	for len(named) > 0 {
		arg, n := named[0], 1
		switch {
		case arg == "--":
			rest, named = append(rest, named[1:]...), nil
			continue
		case arg == "-" || !strings.HasPrefix(arg, "-"):
			rest = append(rest, arg)
		default:
			if takesValue(commands[at], arg) {
				n = min(2, len(named))
			}
			flags = append(flags, named[:n]...)
		}
		named = named[n:]
	}
	return append(append(flags, "--"), rest...)
}

// takesValue reports whether what follows a flag is its value.
func takesValue(c *cli.Command, arg string) bool {
	for _, f := range c.Flags {
		if slices.Contains(f.Names(), strings.TrimLeft(arg, "-")) { // not if it has its value behind "="
			b, ok := f.(interface{ IsBoolFlag() bool })
			return !ok || !b.IsBoolFlag()
		}
	}
	return false
}
