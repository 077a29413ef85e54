package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tarndb/tarn/bench/internal/data"
)

// storesReport is the databases section.
func storesReport(set *data.Set, all []*standing, kills int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `## Databases beside each other

%s: %d points of %d dimensions with two small payload fields, cosine, given in batches of %d, the next when one is
acknowledged; k = 10. What is generated has the seed 0 and 20 intrinsic dimensions. Each store runs in a process of its own, through its
own binding; single runs. Ingestion may use both processors; searches are one at a time, the process then held on one processor.

    cd bench/peers && go run . databases -n %d%s

%s.

`, set.Name, len(set.Base), set.Dim(), storeBatch, len(set.Base), realSet(set), stamp())
	b.WriteString("| | accepted, points/s | durable, points/s | in the index, points/s | search for the newest, p50 / max ms | searches/s at 0.95 | at 0.99 | p50 / p99 ms (beam, recall) |\n|---|---|---|---|---|---|---|---|\n")
	for _, s := range all {
		b.WriteString(s.row() + "\n")
	}
	fmt.Fprintf(&b, `
Accepted: the call returned. Durable: each batch fsynced, or what the store calls so, before the next; `+"`none`"+` where it has no such call. In
the index: from the first batch until the store has done by itself, or was told to do, all that makes searches quick. The search for
the newest comes after every eighth batch and asks for its last point until it is found, two seconds at most; what was not is in brackets. `+"`exact`"+`: the store scans. `+"`-`"+`: the
recall is not reached at a beam of %d.

`, storeBeams[len(storeBeams)-1])
	fmt.Fprintf(&b, "| | reopen to first answer, ms | disk, MB (raw %.0f) | anonymous memory, MB | %d kills: lost of acknowledged | not found by their own vector |\n|---|---|---|---|---|---|\n",
		float64(4*len(set.Base)*set.Dim())/1e6, kills)
	for _, s := range all {
		if s.failed == "" {
			b.WriteString(s.lifeRow() + "\n")
		}
	}
	b.WriteString(`
Memory is RssAnon after the searches, less what the process had before it opened the store. A kill is a SIGKILL 0.3 to 1 s into the
writes (seed 1), in the durable form where there is one: the system's cache survives it, so a store that never fsyncs may lose
nothing here and everything in a power cut. Ids first, then about 400 of them a kill by their own vector at a beam of 100; the
same vector under another id, where more was written than the set holds, counts as found.

| | settings | what it promises |
|---|---|---|
`)
	for _, s := range all {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", s.name, s.settings, s.promise)
	}
	return b.String()
}

func realSet(set *data.Set) string {
	if slices.Contains(data.Names, set.Name) {
		return " -set " + set.Name
	}
	return ""
}

func (s *standing) row() string {
	if s.failed != "" {
		return fmt.Sprintf("| %s | %s | | | | | | |", s.name, s.failed)
	}
	written := "none"
	if s.durable {
		written = fmt.Sprintf("%.0f", s.written)
	}
	visible := slices.Sorted(slices.Values(s.visible))
	missed := ""
	if s.missed > 0 {
		missed = fmt.Sprintf(" (%d of %d missed)", s.missed, s.probes)
	}
	return fmt.Sprintf("| %s | %.0f | %s | %.0f | %.2f / %.2f%s | %s | %s | %.2f / %.2f (%s, %.3f) |", s.name, s.accepted, written, s.indexed,
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
