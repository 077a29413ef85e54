//go:build !race

package tarn_test

const raceOn = false
