package kernel

import (
	"errors"
	"fmt"
	"os"
	"unsafe"
)

// tier is a set of instructions that the kernels are written in.
type tier uint8

const (
	tierGo      tier = iota // portable Go
	tierAVX2                // amd64: AVX2, FMA, BMI2
	tierAVX512              // and AVX-512 F, BW, VL
	tierVNNI                // and AVX-512 VNNI: four products of codes at once
	tierNEON                // arm64
	tierNEONDot             // and SDOT: four products of codes at once
)

var tierNames = [...]string{"go", "avx2", "avx512", "vnni", "neon", "neondot"}

func (t tier) String() string { return tierNames[t] }

// environment is the variable that forces a tier.
const environment = "TARN_KERNEL"

// active is the tier of new queries, chosen once at start. Only tests change it.
var active, fallback = chooseTier(os.Getenv(environment))

// Tier names the instructions in use, and says why a tier asked for by the
// environment was not taken; reason is empty if none was asked for, or it was
// taken.
func Tier() (name, reason string) { return active.String(), fallback }

// chooseTier returns the tier asked for, or the best one with the reason.
func chooseTier(asked string) (t tier, reason string) {
	tiers := availableTiers()
	best := tiers[len(tiers)-1]
	if asked == "" {
		return best, ""
	}
	for _, t := range tiers {
		if t.String() == asked {
			return t, ""
		}
	}
	for _, name := range tierNames {
		if name == asked {
			return best, fmt.Sprintf("%s=%s: this machine lacks the instructions", environment, asked)
		}
	}
	return best, fmt.Sprintf("%s=%q: no such tier", environment, asked)
}

// availableTiers returns what this machine can run, the best last.
func availableTiers() []tier { return append([]tier{tierGo}, assemblyTiers()...) }

// Supported returns an error on machines where rows cannot be used in place:
// rows are little-endian.
func Supported() error {
	one := uint16(1)
	if *(*byte)(unsafe.Pointer(&one)) == 0 {
		return errors.New("kernel: big-endian machines are not supported")
	}
	return nil
}

// codes does the listed code rows in the query's tier.
func (q *Query) codes(out []float32) {
	if q.tier == tierGo {
		portableCodes(q, &q.list, out)
		return
	}
	assemblyCodes(q, &q.list, out)
}

// slacks writes the error bounds of the listed code rows.
func (q *Query) slacks(out []float32) {
	if q.tier == tierGo {
		portableSlacks(q, &q.list, out)
		return
	}
	assemblySlacks(q, &q.list, out)
}

// vectors writes dot products, or squared distances for L2.
func (q *Query) vectors(out []float32) {
	if q.tier == tierGo {
		portableVectors(q.metric, q.vec, &q.list, out)
		return
	}
	assemblyVectors(q.tier, q.metric, q.vec, &q.list.rows[0], q.list.n, q.list.ahead, &out[0])
}

// oneToOne is vectors with a list of one row, the second of two vectors.
func oneToOne(m Metric, a, b []float32) (d float32) {
	if len(a) == 0 {
		return 0
	}
	b = b[:len(a)]
	switch {
	case active != tierGo:
		// A pointer, not an integer: b may be on a stack that moves.
		row := unsafe.Pointer(unsafe.SliceData(b))
		assemblyVectors(active, m, a, (*uintptr)(unsafe.Pointer(&row)), 1, 1, &d)
	case m == L2:
		d = portableL2(a, b)
	default:
		d = portableDot(a, b)
	}
	return d
}
