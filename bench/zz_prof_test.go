package bench

import "testing"

func BenchmarkZZOpenLarge(b *testing.B) {
	large := closedStore(b, 200_000)
	b.ResetTimer()
	for range 60 {
		firstAnswer(b, large)
	}
}
