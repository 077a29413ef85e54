package demo

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func whole() *Report {
	return &Report{Points: 10, Searches: 7, StreamRestored: true, RecallAt10: 0.97}
}

func TestEveryBrokenPromiseIsNamed(t *testing.T) {
	assert.Empty(t, whole().Broken())
	for want, breakIt := range map[string]func(*Report){
		"3 of 7 searches missed an acknowledged point":       func(r *Report) { r.Misses = 3 },
		"1 answers showed a moved point where it was before": func(r *Report) { r.Stale = 1 },
		"2 acknowledged points were lost":                    func(r *Report) { r.Lost = 2 },
		"4 deleted points came back":                         func(r *Report) { r.Resurrected = 4 },
		"the stream was not running after Open":              func(r *Report) { r.StreamRestored = false },
		"recall@10 is 0.949, under 0.95":                     func(r *Report) { r.RecallAt10 = 0.949 },
	} {
		r := whole()
		breakIt(r)
		assert.Equal(t, []string{want}, r.Broken())
	}
}

func TestJSONReportHasTheFieldsThatScriptsRead(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, whole().WriteJSON(&b))
	var got map[string]any
	require.NoError(t, json.Unmarshal(b.Bytes(), &got))
	for _, name := range []string{
		"points", "misses", "lost", "resurrected", "recall_at_10", "accepted_per_s", "durable_p50_ms", "durable_p99_ms",
		"search_p50_us", "search_p99_us", "reopen_ms", "disk_bytes",
	} {
		assert.Contains(t, got, name)
	}
}

func TestTextReportShowsTheAnswers(t *testing.T) {
	r := whole()
	r.Questions = []Question{{Text: "exit a program", Nearest: []Nearest{{Symbol: "os.Exit", Distance: 0.25, Doc: strings.Repeat("x", 100)}}}}
	var b bytes.Buffer
	require.NoError(t, r.WriteText(&b, 80))
	assert.Contains(t, b.String(), "exit a program\n  0.250  os.Exit")
	assert.Contains(t, b.String(), strings.Repeat("x", 40)+"…\n")
	assert.Contains(t, b.String(), "recall@10        0.9700")
}

func TestLostPointsAreCountedOnce(t *testing.T) {
	r := whole()
	r.lose(1)
	r.lose(1)
	r.lose(2)
	assert.Len(t, r.lost, 2)
}

func TestQuantiles(t *testing.T) {
	var v []time.Duration
	assert.Zero(t, quantile(v, 0.5))
	for i := 100; i >= 1; i-- {
		v = append(v, time.Duration(i))
	}
	assert.Equal(t, []time.Duration{1, 50, 99, 100}, []time.Duration{quantile(v, 0), quantile(v, 0.5), quantile(v, 0.99), quantile(v, 1)})
}

func TestNumbersAreGroupedInThrees(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1 000", 10229: "10 229", 1234567: "1 234 567", -1000: "-1 000"} {
		assert.Equal(t, want, thousands(n))
	}
}
