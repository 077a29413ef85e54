package kernel

import "unsafe"

// The portable tier: plain Go, for every machine, and the reference for the
// integer part of the others.

// portableCodes is the code form in Go.
func portableCodes(q *Query, l *rowList, out []float32) {
	for i := range out {
		row := unsafe.Slice((*byte)(l.row(i)), headerSize+q.dim)
		h := parseHeader(row)
		out[i] = q.k.distance(codeDot(q.code[headerSize:], row[headerSize:], q.dim), &h)
	}
}

// portableSlacks is the error bounds in Go.
func portableSlacks(q *Query, l *rowList, out []float32) {
	for i := range out {
		out[i] = q.s.of(unsafe.Slice((*byte)(l.row(i)), headerSize))
	}
}

// distance is the formula at codeConstants.
func (k *codeConstants) distance(dot int32, h *header) float32 {
	t := dot - h.zero*k.usum - h.sum*k.uzero
	d := k.base + float32(h.rr*k.rrFactor)
	dev := h.mean - k.qmean
	d += float32(float32(dev*dev) * k.devFactor)
	d += float32(h.mean * k.meanFactor)
	d -= float32(float32(float32(t)*h.scale) * k.factor)
	return max(d, k.floor)
}

// codeDot sums u*b over dim unsigned query codes and signed row codes.
func codeDot(u, b []byte, dim int) int32 {
	u, b = u[:dim], b[:dim]
	var s0, s1, s2, s3 int32
	for len(u) >= 4 && len(b) >= 4 {
		s0 += int32(u[0]) * int32(int8(b[0]))
		s1 += int32(u[1]) * int32(int8(b[1]))
		s2 += int32(u[2]) * int32(int8(b[2]))
		s3 += int32(u[3]) * int32(int8(b[3]))
		u, b = u[4:], b[4:]
	}
	for i := range u {
		s0 += int32(u[i]) * int32(int8(b[i]))
	}
	return s0 + s1 + s2 + s3
}

// portableVectors writes dot products, or squared distances for L2.
func portableVectors(m Metric, v []float32, l *rowList, out []float32) {
	for i := range out {
		row := unsafe.Slice((*float32)(l.row(i)), len(v))
		if m == L2 {
			out[i] = portableL2(v, row)
		} else {
			out[i] = portableDot(v, row)
		}
	}
}

func portableDot(a, b []float32) float32 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for len(a) >= 8 && len(b) >= 8 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		s4 += a[4] * b[4]
		s5 += a[5] * b[5]
		s6 += a[6] * b[6]
		s7 += a[7] * b[7]
		a, b = a[8:], b[8:]
	}
	for i, x := range a {
		s0 += x * b[i]
	}
	return ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))
}

func portableL2(a, b []float32) float32 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for len(a) >= 8 && len(b) >= 8 {
		d0, d1, d2, d3 := a[0]-b[0], a[1]-b[1], a[2]-b[2], a[3]-b[3]
		d4, d5, d6, d7 := a[4]-b[4], a[5]-b[5], a[6]-b[6], a[7]-b[7]
		s0 += d0 * d0
		s1 += d1 * d1
		s2 += d2 * d2
		s3 += d3 * d3
		s4 += d4 * d4
		s5 += d5 * d5
		s6 += d6 * d6
		s7 += d7 * d7
		a, b = a[8:], b[8:]
	}
	for i, x := range a {
		d := x - b[i]
		s0 += d * d
	}
	return ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))
}

// unsignedBias makes a signed code unsigned.
const unsignedBias = 128

// packUnsigned writes a row's codes as unsigned ones, zeros for header and
// padding, eight at a time.
func packUnsigned(dst, row []byte) []byte {
	dst = grow(dst, len(row))
	clear(dst[:headerSize])
	for i := headerSize; i < len(row); i += 8 {
		src := (*uint64)(unsafe.Pointer(&row[i]))
		*(*uint64)(unsafe.Pointer(&dst[i])) = *src ^ 0x8080808080808080
	}
	return dst
}
