package tarn_test

import (
	"fmt"
	"testing"

	"github.com/tarndb/tarn/internal/crashtest"
)

// A child under load is killed by SIGKILL when it has come to a step of Compact.
func TestA04_KillsAtEveryStepOfCompactLoseNothingAcknowledged(t *testing.T) {
	for i, step := range []string{"compact: before moves", "compact: moved", "compact: after moves", "compact: before checkpoint",
		"compact: before files", "compact: after files", "compact: before tables", "compact: after tables"} {
		for _, named := range []bool{false, true} {
			if named != (i%2 == 1) && fromEnv("TARN_KILLS", 1) == 1 {
				continue // each step with keys and without takes TARN_KILLS=2
			}
			t.Run(fmt.Sprintf("%s, keys %v", step, named), func(t *testing.T) {
				killMany(t, 1, crashtest.Config{Producers: []crashtest.Kind{crashtest.Stream, crashtest.API}, Compact: true, Step: step, Named: named})
			})
		}
	}
}
