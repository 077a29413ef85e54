//go:build !race

package collection

const raceOn = false
