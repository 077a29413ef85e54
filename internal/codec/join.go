package codec

// Shift knows what bytes that follow do to a checksum, whatever they are, as long as
// they are as many as it was made for. CRC-32C is linear, so with it the checksums of
// two pieces give that of both without a look at the bytes.
//
//	CRC(a ‖ b) = zeros(len(b), CRC(a)) xor CRC(b)     zeros: n zero bytes put through the register
//
// zeros is linear too: the xor of what it makes of each byte of the checksum.
type Shift struct {
	n     int
	bytes [4][256]uint32
}

// NewShift returns the Shift over n bytes.
func NewShift(n int) *Shift {
	s := &Shift{n: n}
	step, bits := zeroByte(), [32]uint32{}
	for i := range bits {
		bits[i] = 1 << i
	}
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			bits = through(step, bits)
		}
		step = through(step, step)
	}
	for i := range s.bytes {
		for b := range s.bytes[i] {
			s.bytes[i][b] = apply(&bits, uint32(b)<<(8*i))
		}
	}
	return s
}

// Len returns the number of bytes that s is for.
func (s *Shift) Len() int { return s.n }

// Join returns the checksum of two pieces of which crc and next are those; the second
// has Len bytes.
func (s *Shift) Join(crc, next uint32) uint32 {
	return s.bytes[0][byte(crc)] ^ s.bytes[1][byte(crc>>8)] ^ s.bytes[2][byte(crc>>16)] ^ s.bytes[3][crc>>24] ^ next
}

// zeroByte returns what a zero byte makes of each bit of the register.
func zeroByte() (bits [32]uint32) {
	for i := range bits {
		r := uint32(1) << i
		bits[i] = castagnoli[byte(r)] ^ r>>8
	}
	return bits
}

// through returns what first and then next make of each bit.
func through(next, first [32]uint32) (bits [32]uint32) {
	for i := range bits {
		bits[i] = apply(&next, first[i])
	}
	return bits
}

// apply returns what a linear map makes of r.
func apply(bits *[32]uint32, r uint32) (out uint32) {
	for i := 0; r != 0; i, r = i+1, r>>1 {
		if r&1 != 0 {
			out ^= bits[i]
		}
	}
	return out
}
