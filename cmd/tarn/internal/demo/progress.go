package demo

import "github.com/tarndb/tarn/cmd/tarn/internal/progress"

// Progress shows how far the demo is.
type Progress interface {
	Say(format string, args ...any)                 // a line that stays
	Start(label string, total int, u progress.Unit) // ends what was shown before
	Add(n int)                                      // so many more are done
	Stop()                                          // ends what was shown
}

// Silent shows nothing.
type Silent struct{}

func (Silent) Say(string, ...any)               {}
func (Silent) Start(string, int, progress.Unit) {}
func (Silent) Add(int)                          {}
func (Silent) Stop()                            {}
