package main

import (
	"hash/fnv"
	"math"
	"strings"
	"unicode"
)

const (
	dim   = 256
	group = 3 // letters
)

// vectorOf counts a line's groups of three letters in 256 places, each with a sign,
// both drawn from the group's hash (Weinberger et al., "Feature hashing for large
// scale multitask learning", 2009): the cosine of two such vectors is about that of
// the full counts. Case, digits and punctuation do not count. ok is false for a line
// without letters.
func vectorOf(line string) (v []float32, ok bool) {
	letters := []rune(" " + strings.Join(strings.FieldsFunc(strings.ToLower(line), func(r rune) bool { return !unicode.IsLetter(r) }), " ") + " ")
	v = make([]float32, dim)
	for i := 0; i+group <= len(letters); i++ {
		h := fnv.New64a()
		h.Write([]byte(string(letters[i : i+group])))
		sum := h.Sum64()
		sign := float32(1)
		if sum>>63 == 1 {
			sign = -1
		}
		v[sum%dim] += sign
	}
	for _, x := range v {
		ok = ok || x != 0
	}
	for i, x := range v { // a word said often counts for less than as often
		v[i] = float32(math.Copysign(math.Sqrt(math.Abs(float64(x))), float64(x)))
	}
	return v, ok
}
