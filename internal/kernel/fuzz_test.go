package kernel

import (
	"encoding/binary"
	"math"
	"testing"
)

// fuzzVectors makes two vectors of one dimension from any bytes: finite, and
// with a squared norm below MaxNormSquared.
func fuzzVectors(data []byte) (a, b []float32) {
	dim := min(len(data)/8, 4096)
	read := func(data []byte) []float32 {
		v, squares := make([]float32, dim), 0.0
		for i := range v {
			x := math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
			next := squares + float64(x)*float64(x)
			if next < MaxNormSquared*0.9999 { // false for NaN
				v[i], squares = x, next
			}
		}
		return v
	}
	return read(data), read(data[4*dim:])
}

// FuzzDistances compares all tiers with the reference and with each other, for
// two vectors made of any bytes, lying at any offset from a word boundary.
func FuzzDistances(f *testing.F) {
	f.Fuzz(func(t *testing.T, metric, offset byte, data []byte) {
		a, b := fuzzVectors(data)
		if len(a) == 0 {
			return
		}
		m := metrics[int(metric)%len(metrics)]
		shifted := make([]float32, len(b)+16)[offset%16:][:len(b)]
		copy(shifted, b)
		chosen := active
		defer func() { active = chosen }()
		var first []byte
		for i, tier := range availableTiers() {
			active = tier
			code := make([]byte, CodeStride(len(b)))
			EncodeCode(m, shifted, code)
			if i == 0 {
				first = code
			} else if string(first) != string(code) {
				t.Fatalf("%v: another code row than in Go", tier)
			}
			fuzzTier(t, m, a, shifted, code)
		}
	})
}

func fuzzTier(t *testing.T, m Metric, a, b []float32, code []byte) {
	got, want := float64(Distance(m, a, b)), reference(m, a, b)
	if math.IsNaN(got) || m != Dot && got < 0 {
		t.Fatalf("%v %v: %v", active, m, got)
	}
	if want > math.MaxFloat32 || m == Cosine && (tooShort(a) || tooShort(b)) {
		return
	}
	allowed := tolerance(m, a, b)
	if miss := math.Abs(got - want); !(miss <= allowed) {
		t.Fatalf("%v %v dim %d: %v, want %v", active, m, len(a), got, want)
	}
	var q Query
	var out [1]float32
	codes := NewRows(len(code), 0).With(code)
	q.Set(m, a)
	q.Codes(codes, []uint32{0}, out[:])
	if miss := abs(out[0] - float32(got)); !(miss <= q.Slack(codes, 0)) {
		t.Fatalf("%v %v dim %d: %v from %v, slack %v", active, m, len(a), miss, got, q.Slack(codes, 0))
	}
}

// tooShort reports whether float32 products of a unit vector with v underflow.
func tooShort(v []float32) bool {
	squares, _ := Check(v)
	return squares < MinNorm*MinNorm
}

// FuzzSlots resolves any list of slots in tables of any shape, and compares
// with one row at a time.
func FuzzSlots(f *testing.F) {
	vecs := draw(newRand(41), shapes[0], 40, 37)
	f.Fuzz(func(t *testing.T, shift, metric, tierNumber byte, list []byte) {
		m := metrics[int(metric)%len(metrics)]
		tiers := availableTiers()
		chosen := active
		defer func() { active = chosen }()
		active = tiers[int(tierNumber)%len(tiers)]
		codes, rows := table(m, vecs, uint(shift%7))
		slots := make([]uint32, min(len(list), 2000))
		for i := range slots {
			slots[i] = uint32(list[i]) % 40
		}
		var q Query
		q.Set(m, vecs[0])
		all, one := make([]float32, 2*len(slots)+1), make([]float32, 2)
		q.Codes(codes, slots, all)
		q.Vectors(codes, rows, slots, all[len(slots):])
		for i := range slots {
			q.Codes(codes, slots[i:i+1], one)
			q.Vectors(codes, rows, slots[i:i+1], one[1:])
			if all[i] != one[0] || all[len(slots)+i] != one[1] {
				t.Fatalf("%v %v slot %d, %d of %d: another distance alone", active, m, slots[i], i, len(slots))
			}
		}
		if all[2*len(slots)] != 0 {
			t.Fatal("written behind the results")
		}
	})
}
