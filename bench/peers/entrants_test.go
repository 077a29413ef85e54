package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tarndb/tarn/bench/internal/data"
)

func TestEachEntrantHasAStoreAndItsPackagesArePinned(t *testing.T) {
	pinned, err := os.ReadFile("requirements-stores.txt")
	if err != nil {
		t.Fatal(err)
	}
	libraries, err := os.ReadFile("requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(pinned) + string(libraries))
	for _, e := range entrants {
		if goStores[e.name] != nil {
			continue
		}
		if _, err := os.Stat("stores/" + strings.ReplaceAll(e.name, "-", "_") + ".py"); err != nil {
			t.Error(err)
		}
		for _, name := range strings.Fields(e.packages) {
			if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, name+"==") }) {
				t.Errorf("%s: no version of %s", e.name, name)
			}
		}
	}
}

func TestWithoutPythonItsStoresAreSaidToBeAbsentAndThoseOfGoRun(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	t.Setenv("PATH", "")
	absent := installStores()
	for _, e := range entrants {
		why, ok := absent[e.name]
		if ok == (goStores[e.name] != nil) {
			t.Errorf("%s: absent %v", e.name, ok)
		}
		if s := (standing{entrant: e, failed: why}); ok && !strings.Contains(s.row(), "does not install") {
			t.Errorf("the page does not say so: %s", s.row())
		}
	}
}

func TestGeneratedAndRealFiguresHaveAFragmentEach(t *testing.T) {
	t.Setenv(data.Folder, "")
	set, err := storeSet("", 300)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{set.Name: "databases-generated", realStores: "databases", "godoc-minilm": ""} {
		if got := fragmentOf(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	t.Setenv(data.Folder, t.TempDir())
	if _, err := storeSet("", 300); err == nil {
		t.Error("where the real sets are, the stores are given others")
	}
}

// lateStore finds a point at its second search.
type lateStore struct {
	goStore
	written, asked int
}

func (s *lateStore) insert(first int, rows [][]float32, _ bool) error {
	s.written, s.asked = first+len(rows), 0
	return nil
}

func (s *lateStore) has(id int) bool { return id%2 == 0 }

func (s *lateStore) search([]float32, int, int) ([]uint32, error) {
	s.asked++
	if s.asked == 1 {
		return []uint32{0}, nil
	}
	return []uint32{uint32(s.written - 1)}, nil
}

func TestWhatASearchForTheNewestDoesNotFindAtOnceIsCounted(t *testing.T) {
	base := make([][]float32, 2*storeBatch)
	for i := range base {
		base[i] = make([]float32, len(base))
		base[i][i] = 1
	}
	d := &driver{store: &lateStore{}, base: base}
	r, err := d.insert(task{Rows: len(base), Probe: 1})
	if err != nil || r.Late != 2 || len(r.Visible) != 2 {
		t.Errorf("%d late of %d: %v", r.Late, len(r.Visible), err)
	}
	if r := d.check(10); r.Missing != 5 || r.Sample != 10 || r.Unfound != 10 {
		t.Errorf("missing %d, unfound %d of %d", r.Missing, r.Unfound, r.Sample)
	}
}

func TestAStreamOfAStoreThatIsNeverDurableStandsInBrackets(t *testing.T) {
	s := standing{entrant: entrant{name: "x", bare: true}}
	s.streamed[0] = streamed{rate: 1500, visible: make([]float64, 4), late: 2, missed: 1}
	if got, want := s.streamRow(), "| x | (1500) | 2 / 1 of 4 | no payloads | |"; strings.Join(strings.Fields(got), " ") != want {
		t.Error(got)
	}
	s.bare, s.safe = false, always
	if got := s.streamRow(); strings.Contains(got, "(") || strings.Contains(got, "no payloads") {
		t.Error(got)
	}
}
