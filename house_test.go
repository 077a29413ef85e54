package tarn_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The house has floors. A package imports packages of lower floors only, so the
// arrows of DESIGN point one way and never come back, and rooms of one floor
// never know each other. What is on no floor is an error: say where it stands.
var floors = [][]string{
	0: {"internal/bitmap", "internal/codec", "internal/invariant", "internal/watch"},
	1: {"internal/kernel", "internal/vfs", "internal/filter"},
	2: {"internal/archive", "wal", "hnsw", "delta", "streaming", "internal/attr", "internal/vecfile", "internal/meta"},
	3: {"hnsw/coder"}, // the same interface as hnsw: it may use its words
	4: {"collection"},
	5: {"."},
	6: {"bench", "cmd", "examples", "internal/crashtest"},
}

// Modules from outside, and the only rooms whose code (tests aside) may import
// them. What is not here enters nowhere but tests.
var outside = map[string][]string{
	"go.etcd.io/bbolt":                    {"internal/meta"},
	"github.com/edsrzf/mmap-go":           {"internal/vfs"},
	"github.com/coder/hnsw":               {"hnsw/coder", "bench"},
	"github.com/klauspost/compress":       {"internal/archive"},
	"golang.org/x/sys":                    {"internal/kernel", "internal/vfs"},
	"gonum.org/v1/plot":                   {"cmd"},
	"golang.org/x/term":                   {"cmd"},
	"github.com/urfave/cli/v3":            {"cmd"},
	"github.com/RoaringBitmap/roaring/v2": {"internal/attr", "collection"},
}

// Only these rooms may do what is generally forbidden.
var allowed = []struct {
	what  string
	names *regexp.Regexp // package.Name as it is written in the code
	rooms []string
}{
	{"unsafe memory", regexp.MustCompile(`^unsafe\.`), []string{"internal/kernel", "internal/vfs"}},
	{"the clock", regexp.MustCompile(`^time\.(Now|Since|Until)$`), []string{"internal/vfs", "cmd", "bench", "examples", "internal/crashtest"}},
	{"files", regexp.MustCompile(`^(os\.(Open|OpenFile|OpenRoot|Create|CreateTemp|Rename|Remove|RemoveAll|Mkdir|MkdirAll|MkdirTemp|ReadFile|WriteFile|ReadDir|Truncate|Link|Symlink)|filepath\.(Walk|WalkDir|Glob))$`),
		[]string{"internal/vfs", "cmd", "bench", "examples", "internal/crashtest"}},
	{"output of the process", regexp.MustCompile(`^(fmt\.Print(f|ln)?|log\..*|os\.(Exit|Stdout|Stderr))$`), []string{"cmd", "bench", "examples", "internal/crashtest"}},
}

const (
	module       = "github.com/tarndb/tarn"
	longestFile  = 400 // lines; DESIGN: one noun a file
	generatedTag = "// Code generated"
)

// source is one file of Go.
type source struct {
	path, room string // relative to the root, with slashes
	test       bool
	text       []byte
	tree       *ast.File
}

// house parses every file of this module, of whatever platform.
func house(t *testing.T) []source {
	t.Helper()
	var files []source
	set := token.NewFileSet()
	require.NoError(t, filepath.WalkDir(".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			return skip(name, e)
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		tree, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		files = append(files, source{path: name, room: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), text: text, tree: tree})
		return nil
	}))
	return files
}

// skip leaves out what the go command leaves out: hidden folders, test data,
// and modules of their own.
func skip(name string, e fs.DirEntry) error {
	if name == "." {
		return nil
	}
	if strings.HasPrefix(e.Name(), ".") || strings.HasPrefix(e.Name(), "_") || e.Name() == "testdata" {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

// in reports whether room is one of rooms or lies in one.
func in(room string, rooms []string) bool {
	return slices.ContainsFunc(rooms, func(r string) bool { return room == r || r != "." && strings.HasPrefix(room, r+"/") })
}

// floor returns the floor of the most particular entry that room lies in, -1
// for none.
func floor(room string) int {
	found, length := -1, 0
	for n, rooms := range floors {
		for _, r := range rooms {
			if in(room, []string{r}) && len(r) > length {
				found, length = n, len(r)
			}
		}
	}
	return found
}

// wrongArrow says what is wrong with an import of room's code, if anything.
func wrongArrow(room, imported string) string {
	if imported == module || strings.HasPrefix(imported, module+"/") {
		to := strings.TrimPrefix(strings.TrimPrefix(imported, module), "/")
		if to == "" {
			to = "."
		}
		from, down := floor(room), floor(to)
		switch {
		case from < 0:
			return fmt.Sprintf("%s is on no floor", room)
		case down < 0:
			return fmt.Sprintf("%s is on no floor", to)
		case from > down, from == len(floors)-1 && in(to, []string{topRoom(room)}):
			return "" // down, or within one command
		}
		return fmt.Sprintf("%s (floor %d) imports %s (floor %d)", room, from, to, down)
	}
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
		return "" // the standard library
	}
	for mod, rooms := range outside {
		if imported == mod || strings.HasPrefix(imported, mod+"/") {
			if in(room, rooms) {
				return ""
			}
			return fmt.Sprintf("%s imports %s, which only %v may", room, imported, rooms)
		}
	}
	return fmt.Sprintf("%s imports %s, which nothing but tests may", room, imported)
}

func topRoom(room string) string {
	first, _, _ := strings.Cut(room, "/")
	return first
}

func TestImportsPointOneWay(t *testing.T) {
	for _, f := range house(t) {
		if f.test {
			continue
		}
		for _, i := range f.tree.Imports {
			if problem := wrongArrow(f.room, strings.Trim(i.Path.Value, `"`)); problem != "" {
				t.Errorf("%s: %s", f.path, problem)
			}
		}
	}
}

func TestWrongArrowsAreSeen(t *testing.T) {
	for _, right := range [][2]string{
		{"collection", module + "/hnsw/coder"}, {"hnsw/coder", module + "/hnsw"}, {"wal", module + "/internal/vfs"},
		{".", module + "/collection"}, {"cmd/tarn", module}, {"cmd/tarn", module + "/cmd/tarn/internal/demo"},
		{"wal", "encoding/binary"}, {"internal/meta", "go.etcd.io/bbolt"}, {"internal/vfs", "golang.org/x/sys/unix"},
	} {
		assert.Empty(t, wrongArrow(right[0], right[1]), "%v", right)
	}
	for _, wrong := range [][2]string{
		{"wal", module + "/hnsw"}, {"hnsw", module + "/collection"}, {"collection", module}, {"internal/vfs", module + "/wal"},
		{"internal/vecfile", module + "/internal/meta"}, {"internal/codec", module + "/internal/bitmap"},
		{"new/room", module + "/wal"}, {"wal", module + "/new/room"}, {"collection", "go.etcd.io/bbolt"}, {"wal", "github.com/stretchr/testify/require"},
		{"cmd/tarn", module + "/bench"}, {".", "github.com/urfave/cli/v3"},
	} {
		assert.NotEmpty(t, wrongArrow(wrong[0], wrong[1]), "%v", wrong)
	}
}

func TestForbiddenThingsAreDoneInTheirRoomsOnly(t *testing.T) {
	for _, f := range house(t) {
		if f.test {
			continue
		}
		ast.Inspect(f.tree, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := sel.X.(*ast.Ident)
			if !ok {
				return true
			}
			name := pkg.Name + "." + sel.Sel.Name
			for _, a := range allowed {
				if a.names.MatchString(name) && imports(f.tree, pkg.Name) && !in(f.room, a.rooms) {
					t.Errorf("%s: %s: %s, which only %v may touch", f.path, name, a.what, a.rooms)
				}
			}
			return true
		})
	}
}

// imports reports whether the file imports a package by that name, so that a
// variable called log is not taken for package log.
func imports(f *ast.File, name string) bool {
	return slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool {
		return path.Base(strings.Trim(i.Path.Value, `"`)) == name
	})
}

func TestEveryPackageOpensWithADoc(t *testing.T) {
	docs, rooms := map[string]bool{}, map[string]bool{}
	for _, f := range house(t) {
		if !f.test {
			rooms[f.room] = true
		}
		if path.Base(f.path) == "doc.go" {
			docs[f.room] = f.tree.Doc != nil && len(strings.Split(f.tree.Doc.Text(), "\n")) >= 8
		}
	}
	for room := range rooms {
		assert.True(t, docs[room], "%s needs a doc.go: purpose, picture, invariants, concurrency, what it does not do", room)
	}
}

func TestFilesAreShort(t *testing.T) {
	for _, f := range house(t) {
		if f.test {
			continue // a table of stories may be long
		}
		if lines := bytes.Count(f.text, []byte("\n")); lines > longestFile && !bytes.HasPrefix(f.text, []byte(generatedTag)) {
			t.Errorf("%s has %d lines, more than %d: which two nouns are in it?", f.path, lines, longestFile)
		}
	}
}

func TestNothingIsLeftForLater(t *testing.T) {
	later := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b|not impl` + `emented`)
	for _, f := range house(t) {
		for i, line := range strings.Split(string(f.text), "\n") {
			if later.MatchString(line) {
				t.Errorf("%s:%d: %s", f.path, i+1, strings.TrimSpace(line))
			}
		}
	}
}

// TestEveryExportedNameIsExplained is about what a user of the packages can write: what
// is exported at the top level, and methods of it. One comment explains a group of values,
// and one behind a name that name.
func TestEveryExportedNameIsExplained(t *testing.T) {
	names := 0
	for _, f := range house(t) {
		if f.test || f.tree.Name.Name == "main" || in(f.room, []string{"bench"}) || slices.Contains(strings.Split(f.room, "/"), "internal") {
			continue
		}
		for _, d := range f.tree.Decls {
			for name, explained := range exported(d) {
				names++
				assert.True(t, explained, "%s: %s needs a comment", f.path, name)
			}
		}
	}
	require.Greater(t, names, 100)
}

// exported returns what a declaration makes that users can write, and whether a comment
// says what it is.
func exported(d ast.Decl) map[string]bool {
	all := map[string]bool{}
	switch d := d.(type) {
	case *ast.FuncDecl:
		name := d.Name.Name
		if d.Recv != nil {
			name = receiver(d.Recv.List[0].Type) + "." + name
		}
		all[name] = d.Doc != nil || d.Recv != nil && d.Name.Name == "Error" // package errors explains that one
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				all[s.Name.Name] = s.Doc != nil || s.Comment != nil || d.Doc != nil && len(d.Specs) == 1
			case *ast.ValueSpec:
				for _, n := range s.Names {
					all[n.Name] = d.Doc != nil || s.Doc != nil || s.Comment != nil
				}
			}
		}
	}
	maps.DeleteFunc(all, func(name string, _ bool) bool {
		of, method, _ := strings.Cut(name, ".")
		return !ast.IsExported(of) || method != "" && !ast.IsExported(method)
	})
	return all
}

// receiver returns the name of the type that a method is of.
func receiver(of ast.Expr) string {
	switch of := of.(type) {
	case *ast.StarExpr:
		return receiver(of.X)
	case *ast.IndexExpr:
		return receiver(of.X)
	case *ast.IndexListExpr:
		return receiver(of.X)
	case *ast.Ident:
		return of.Name
	}
	return ""
}

func TestUnexplainedNamesAreSeen(t *testing.T) {
	const text = `package p
// G is generic.
type G[T any] struct{}
// Good is explained.
func (g *G[T]) Good() {}
func (g *G[T]) Error() string { return "" }
func (g *G[T]) Bad() {}
func Error() {}
func (g G[T]) bad() {}
func (h hidden) Bad() {}
type hidden int
// These are explained.
const A, B = 1, 2
const (
	C = 1 // explained
	BadD = 2
	// E is.
	E = 3
)
var BadV, badV = 1, 2
type Bad struct{ Bad int }
// A comment of a group of types.
type (
	BadT int
	T int // explained
)
func BadF() {}
func badF() {}
`
	f, err := parser.ParseFile(token.NewFileSet(), "p.go", text, parser.ParseComments)
	require.NoError(t, err)
	var good, bad []string
	for _, d := range f.Decls {
		for name, explained := range exported(d) {
			if explained {
				good = append(good, name)
			} else {
				bad = append(bad, name)
			}
		}
	}
	assert.ElementsMatch(t, []string{"G", "G.Good", "G.Error", "A", "B", "C", "E", "T"}, good)
	assert.ElementsMatch(t, []string{"G.Bad", "BadD", "BadV", "Bad", "BadT", "BadF", "Error"}, bad)
}
