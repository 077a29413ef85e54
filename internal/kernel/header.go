package kernel

import (
	"encoding/binary"
	"math"
)

// Wire format of a code row, little-endian, whole cache lines:
//
//	 0        4        8        12       16       20       24       28       32
//	┌────────┬────────┬────────┬────────┬────────┬────────┬────────┬────────┬──────────┬─────────┐
//	│ scale  │ zero   │ sum    │ mean   │ rr     │ norm   │ resid  │ rnorm  │ dim codes│ padding │
//	│ f32    │ i32    │ i32    │ f32    │ f32    │ f32    │ f32    │ f32    │ i8 each  │ 0x80    │
//	└────────┴────────┴────────┴────────┴────────┴────────┴────────┴────────┴──────────┴─────────┘
//
// The vector (for cosine: the vector divided by its norm) is mean + r, and
// r_i is about scale * (code_i - zero).
const (
	headerSize = 32
	offScale   = 0  // step of the codes; 0 if all components are equal
	offZero    = 4  // code of r_i = 0
	offSum     = 8  // sum of the codes
	offMean    = 12 // centre of the components
	offRR      = 16 // squared norm of the codes' residual, scale*(code - zero)
	offNorm    = 20 // norm of the vector as given
	offResid   = 24 // |r - scale*(code - zero)|, rounded up
	offRNorm   = 28 // |r|, rounded up

	padCode = 0x80 // a query made of a row has zeros there
)

// header is the decoded head of a code row.
type header struct {
	scale              float32
	zero, sum          int32
	mean, rr           float32
	norm, resid, rnorm float32
}

func (h *header) put(row []byte) {
	_ = row[headerSize-1]
	binary.LittleEndian.PutUint32(row[offScale:], math.Float32bits(h.scale))
	binary.LittleEndian.PutUint32(row[offZero:], uint32(h.zero))
	binary.LittleEndian.PutUint32(row[offSum:], uint32(h.sum))
	binary.LittleEndian.PutUint32(row[offMean:], math.Float32bits(h.mean))
	binary.LittleEndian.PutUint32(row[offRR:], math.Float32bits(h.rr))
	binary.LittleEndian.PutUint32(row[offNorm:], math.Float32bits(h.norm))
	binary.LittleEndian.PutUint32(row[offResid:], math.Float32bits(h.resid))
	binary.LittleEndian.PutUint32(row[offRNorm:], math.Float32bits(h.rnorm))
}

func parseHeader(row []byte) header {
	_ = row[headerSize-1]
	return header{
		scale: getFloat32(row, offScale),
		zero:  int32(binary.LittleEndian.Uint32(row[offZero:])),
		sum:   int32(binary.LittleEndian.Uint32(row[offSum:])),
		mean:  getFloat32(row, offMean),
		rr:    getFloat32(row, offRR),
		norm:  getFloat32(row, offNorm),
		resid: getFloat32(row, offResid),
		rnorm: getFloat32(row, offRNorm),
	}
}

func getFloat32(row []byte, off int) float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(row[off:]))
}
