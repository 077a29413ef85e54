package tarn_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// faultIDs are the faults that must have tests: letter and last number.
var faultIDs = []struct {
	letter string
	last   int
}{{"A", 15}, {"B", 14}, {"C", 20}, {"D", 22}, {"E", 20}}

func TestEveryFaultHasATestAndItsPageNamesThem(t *testing.T) {
	names := map[string]bool{} // of tests, with their files
	covered := map[string]bool{}
	id := regexp.MustCompile(`(?:^|_|Test)([A-E]\d\d)(?:_|$)`)
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	for _, f := range house(t) {
		if !f.test {
			continue
		}
		for _, m := range function.FindAllStringSubmatch(string(f.text), -1) {
			names[m[1]+" in "+f.path] = true
			for rest := m[1]; ; {
				at := id.FindStringSubmatchIndex(rest)
				if at == nil {
					break
				}
				covered[rest[at[2]:at[3]]] = true
				rest = rest[at[3]:]
			}
		}
	}
	data, err := os.ReadFile("docs/faults.md")
	require.NoError(t, err)
	page := string(data)
	for _, m := range regexp.MustCompile("`((?:Test|Fuzz)\\w+)` in `([^`]+)`").FindAllStringSubmatch(page, -1) {
		assert.True(t, names[m[1]+" in "+m[2]], "docs/faults.md names %s in %s, which is not there", m[1], m[2])
	}
	for _, ids := range faultIDs {
		for n := 1; n <= ids.last; n++ {
			name := fmt.Sprintf("%s%02d", ids.letter, n)
			assert.True(t, covered[name], "no test has %s in its name", name)
			assert.Contains(t, page, "| "+name+" |", "docs/faults.md")
		}
	}
	require.Greater(t, strings.Count(page, "| `Test"), 80)
}

// TestB13_NothingOfTheStoreReadsTheClock is why a wall clock that jumps changes
// nothing: intervals are timers, which run by the monotonic clock, and what is older
// is told by its LSN.
func TestB13_NothingOfTheStoreReadsTheClock(t *testing.T) {
	clock := regexp.MustCompile(`\btime\.(Now|Since|Until|Date|Unix\w*|Parse\w*|Tick|NewTicker)\(`)
	read := 0
	for _, f := range house(t) {
		if f.test || regexp.MustCompile(`^(bench|cmd|examples|internal/crashtest)(/|$)`).MatchString(f.room) {
			continue
		}
		read++
		assert.Empty(t, clock.FindAllString(string(f.text), -1), f.path)
	}
	require.Greater(t, read, 100)
}
