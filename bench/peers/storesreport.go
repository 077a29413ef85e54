package main

import (
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/tarndb/tarn/bench/internal/data"
)

// storesReport is a databases section. What the columns mean and what the stores
// promise stands in that of the real set, and in what is printed only.
func storesReport(set *data.Set, all []*standing, kills int) string {
	var b strings.Builder
	title := "Databases beside each other"
	generated := fragmentOf(set.Name) == "databases-generated"
	if generated {
		title = "Databases on generated data"
	}
	fmt.Fprintf(&b, `## %s

%s: %d points of %d dimensions, cosine, with a payload of 100 bytes (a title, a language, three numbers), given in batches of %d, the
next when one is acknowledged; k = 10. Each store runs in a process of its own, through its own binding; single runs. Ingestion may use
both processors; searches are one at a time, the process then held on one processor.

    %s

%s.

`, title, set.Name, len(set.Base), set.Dim(), storeBatch, databasesCommand(set), stamp())
	if generated {
		b.WriteString("The set has the seed 0 and 20 intrinsic dimensions. What the columns mean, and the settings and promises of the stores, stand in\nthe section before.\n\n")
	}
	b.WriteString("| | accepted, points/s | durable, points/s | in the index, points/s | search for the newest, p50 / max ms | searches/s at 0.95 | at 0.99 | p50 / p99 ms (beam, recall) |\n|---|---|---|---|---|---|---|---|\n")
	for _, s := range all {
		b.WriteString(s.row() + "\n")
	}
	if !generated {
		fmt.Fprintf(&b, columnsMean, storeBeams[len(storeBeams)-1])
	}
	b.WriteString("\n| | without payload, points/s | newest not found at once / in two seconds | with 100 bytes, points/s | newest not found at once / in two seconds |\n|---|---|---|---|---|\n")
	for _, s := range all {
		if s.failed == "" {
			b.WriteString(s.streamRow() + "\n")
		}
	}
	fmt.Fprintf(&b, "\n| | reopen to first answer, ms | disk, MB (raw %.0f) | anonymous memory, MB | %d kills: lost of acknowledged | not found by their own vector |\n|---|---|---|---|---|---|\n",
		float64(4*len(set.Base)*set.Dim())/1e6, kills)
	for _, s := range all {
		if s.failed == "" {
			b.WriteString(s.lifeRow() + "\n")
		}
	}
	if generated {
		return b.String()
	}
	b.WriteString(livesMean + "Versions: " + strings.Join(versions(), ", ") + ".\n\n| | settings | what it promises |\n|---|---|---|\n")
	for _, s := range all {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", s.name, s.settings, s.promise)
	}
	return b.String()
}

const columnsMean = `
Accepted: the call returned. Durable: each batch fsynced, or what the store calls so, before the next; ` + "`none`" + ` where it has no such call. In
the index: from the first batch until the store has done by itself, or was told to do, all that makes searches quick. The search for
the newest comes after every eighth accepted batch and asks for its last point until it is found, two seconds at most; what was not is in
brackets. ` + "`exact`" + `: the store scans. ` + "`-`" + `: the recall is not reached at a beam of %d.

Streams, in the most durable form that the store has: each batch is on the disk, or what the store calls so, before the next is given,
and a search for its last point follows every eighth; those that did not find it are counted. In brackets: the store has no durable form,
its points are accepted only. Tarn's stream with many tickets under way is in the section on streams.
`

const livesMean = `
Reopening does not count what the language takes to load the library. Memory is RssAnon after the searches, less what the process had
before it opened the store. A kill is a SIGKILL 0.3 to 1 s into the writes (seed 1), in the durable form where there is one: the system's
cache survives it, so a store that never fsyncs may lose nothing here and everything in a power cut. Ids first, then 400 of them a kill
by their own vector at a beam of 100, for five seconds at most; the same vector under another id counts as found. The searches begin
right after a reopening, when Tarn asks its graph for each of its points once more, eight at a time: on one processor a search may wait for
such eight, which is its p99.

`

// versions are those of the stores that go.mod and requirements*.txt pin.
func versions() (all []string) {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if name := strings.TrimPrefix(m.Path, "github.com/"); slices.Contains([]string{"philippgille/chromem-go", "coder/hnsw", "hupe1980/vecgo"}, name) {
				all = append(all, name+" "+m.Version)
			}
		}
	}
	for _, file := range []string{"requirements-stores.txt", "requirements.txt"} {
		text, _ := os.ReadFile(file) // what needs it has said so
		for _, line := range strings.Fields(string(text)) {
			all = append(all, strings.Replace(line, "==", " ", 1))
		}
	}
	return all
}

// databasesCommand measures this set again.
func databasesCommand(set *data.Set) string {
	command := "cd bench/peers && "
	if slices.Contains(data.Names, set.Name) {
		return fmt.Sprintf("%sTARN_DATA=folder go run . databases -n %d -set %s", command, len(set.Base), set.Name)
	}
	return fmt.Sprintf("%sgo run . databases -n %d -set generated", command, len(set.Base))
}

// streamRow is how points came while they were looked for.
func (s *standing) streamRow() string {
	cells := make([]string, 2)
	for i, f := range s.streamed {
		cells[i] = fmt.Sprintf("%.0f", f.rate)
		if s.safe == unsafe {
			cells[i] = "(" + cells[i] + ")"
		}
		cells[i] += fmt.Sprintf(" | %d / %d of %d", f.late, f.missed, len(f.visible))
		if i == 1 && s.bare {
			cells[i] = "no payloads | "
		}
	}
	return fmt.Sprintf("| %s | %s |", s.name, strings.Join(cells, " | "))
}

func (s *standing) row() string {
	if s.failed != "" {
		return fmt.Sprintf("| %s | %s | | | | | | |", s.name, s.failed)
	}
	written := "none"
	if s.safe != unsafe {
		written = fmt.Sprintf("%.0f", s.streamed[1].rate)
	}
	visible := slices.Sorted(slices.Values(s.accepted.visible))
	missed := ""
	if s.accepted.missed > 0 {
		missed = fmt.Sprintf(" (%d of %d missed)", s.accepted.missed, len(visible))
	}
	return fmt.Sprintf("| %s | %.0f | %s | %.0f | %.2f / %.2f%s | %s | %s | %.2f / %.2f (%s, %.3f) |", s.name, s.accepted.rate, written, s.indexed,
		1e3*visible[len(visible)/2], 1e3*visible[len(visible)-1], missed, s.speed(0.95), s.speed(0.99),
		1e3*s.p50, 1e3*s.p99, s.beam(), s.at.Recall)
}

func (s *standing) beam() string {
	if s.exact {
		return "exact"
	}
	return fmt.Sprint("ef ", s.at.Ef)
}

func (s *standing) speed(recall float64) string {
	if s.exact {
		return fmt.Sprintf("%.0f exact", s.curve[0].Value)
	}
	v, atLeast, ok := at(s.curve, recall)
	switch {
	case !ok:
		return "-"
	case atLeast:
		return fmt.Sprintf(">= %.0f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

func (s *standing) lifeRow() string {
	reopen := fmt.Sprintf("%.1f", 1e3*s.reopen)
	if !s.right {
		reopen += ", a wrong answer"
	}
	lost := fmt.Sprintf("%d of %d", s.lost, s.acked)
	unfound := fmt.Sprintf("%d of %d", s.unfound, s.sample)
	if len(s.broken) > 0 {
		lost = fmt.Sprintf("%d of %d cannot be opened again (%s)", len(s.broken), s.kills, shortened(s.broken[0], 90))
		if len(s.broken) == s.kills {
			unfound = "-"
		}
	}
	return fmt.Sprintf("| %s | %s | %.0f | %.0f | %s | %s |", s.name, reopen, float64(s.disk)/1e6, math.Max(0, float64(s.memory)/1e6), lost, unfound)
}

func shortened(text string, n int) string {
	text = strings.NewReplacer("|", "/", "\n", " ").Replace(text)
	if len(text) > n {
		return text[:n] + "…"
	}
	return text
}
