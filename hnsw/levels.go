package hnsw

import "math"

// maxLevel bounds levels: with M = 2 it holds 2^24 slots per slot of the top.
const maxLevel = 24

// level returns the top layer of a slot, drawn from the seed and the slot alone,
// so that it need not be stored and does not depend on who inserts when: level
// l or above with probability M^-l.
func (c *Config) level(slot uint32) int {
	u := float64(mix(c.Seed^mix(uint64(slot)))>>11+1) * 0x1p-53 // in (0, 1]
	return min(int(-math.Log(u)/math.Log(float64(c.M))), maxLevel)
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
