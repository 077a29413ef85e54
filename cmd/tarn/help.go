package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
)

// helpColumns is how wide help may be: that of a terminal nobody has widened.
const helpColumns = 80

// helped fits what a command says of itself: descriptions into the columns behind
// their indent, and no default where 0 stands for nothing.
func helped(c *cli.Command) *cli.Command {
	c.Description = flow(c.Description, helpColumns-len("   "))
	for _, f := range c.Flags {
		if n, ok := f.(*cli.IntFlag); ok && n.Value == 0 {
			n.HideDefault = true
		}
	}
	return c
}

// flow breaks paragraphs anew, after at most so many columns. Empty lines part them;
// one with a line that is indented stays as it is.
func flow(text string, columns int) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, p := range paragraphs {
		indented := func(line string) bool { return strings.HasPrefix(line, " ") }
		if slices.ContainsFunc(strings.Split(p, "\n"), indented) {
			continue
		}
		paragraphs[i] = fold(strings.Join(strings.Fields(p), " "), "", columns)
	}
	return strings.Join(paragraphs, "\n\n")
}
