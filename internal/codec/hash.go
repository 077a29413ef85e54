package codec

import "encoding/binary"

// Hash returns 64 bits of b, for sums of hashes that do not depend on the order of
// what is hashed. It finds accidents, as a checksum does, and is part of the formats.
//
//	h = 8-byte words of b, little-endian, zeros at the end, then the length
//	for each: h = mix(h xor word)     mix: the finaliser of SplitMix64
func Hash(b []byte) uint64 {
	n := uint64(len(b))
	var h uint64
	for ; len(b) >= 8; b = b[8:] {
		h = mix(h ^ binary.LittleEndian.Uint64(b))
	}
	if len(b) > 0 {
		var last [8]byte
		copy(last[:], b)
		h = mix(h ^ binary.LittleEndian.Uint64(last[:]))
	}
	return mix(h ^ n)
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
