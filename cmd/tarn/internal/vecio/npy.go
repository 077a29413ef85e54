package vecio

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// An .npy file:
//
//	0              6       7       8                10 (12)
//	┌──────────────┬───────┬───────┬────────────────┬──────────────────────────────────────────┬──────┐
//	│ \x93 N U M P Y major │ minor │ length of text │ {'descr': '<f4', 'fortran_order': False, │ rows │
//	│              │ u8    │ u8    │ u16, u32 if    │  'shape': (n, dim), }   spaces, newline  │      │
//	│              │       │       │ major > 1      │                                          │      │
//	└──────────────┴───────┴───────┴────────────────┴──────────────────────────────────────────┴──────┘
const (
	npyMagic   = "\x93NUMPY"
	maxNPYText = 64 << 10
)

var (
	npyType  = regexp.MustCompile(`'descr'\s*:\s*'([^']*)'`)
	npyOrder = regexp.MustCompile(`'fortran_order'\s*:\s*(True|False)`)
	npyShape = regexp.MustCompile(`'shape'\s*:\s*\((\d+),\s*(\d+),?\s*\)`)
	npyTypes = map[string]scalar{"<f4": f32, "<f8": f64, "<f2": f16, "|u1": u8, "|i1": i8}
)

func newNPY(r *bufio.Reader) (*bin, error) {
	head := make([]byte, len(npyMagic)+2)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, cut(err)
	}
	if !bytes.HasPrefix(head, []byte(npyMagic)) {
		return nil, fmt.Errorf("%w: it does not begin as an .npy file does", ErrFormat)
	}
	version := head[len(npyMagic)]
	if version < 1 || version > 3 {
		return nil, fmt.Errorf("%w: version %d of .npy, known are 1 to 3", ErrFormat, version)
	}
	size := make([]byte, 2)
	if version > 1 {
		size = make([]byte, 4)
	}
	if _, err := io.ReadFull(r, size); err != nil {
		return nil, cut(err)
	}
	n := le.Uint32(append(size, 0, 0, 0, 0))
	if n > maxNPYText {
		return nil, fmt.Errorf("%w: a header of %d bytes", ErrFormat, n)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, cut(err)
	}
	return parseNPY(r, string(text))
}

func parseNPY(r *bufio.Reader, text string) (*bin, error) {
	of, order, shape := npyType.FindStringSubmatch(text), npyOrder.FindStringSubmatch(text), npyShape.FindStringSubmatch(text)
	if of == nil || order == nil || shape == nil {
		return nil, fmt.Errorf("%w: it must hold a matrix: %.200q", ErrFormat, strings.TrimSpace(text))
	}
	kind, ok := npyTypes[of[1]]
	if !ok {
		return nil, fmt.Errorf("%w: values of type %q; save it as float32: np.save(FILE, a.astype('<f4'))", ErrFormat, of[1])
	}
	if order[1] == "True" {
		return nil, fmt.Errorf("%w: columns come first; save it by rows: np.save(FILE, np.ascontiguousarray(a))", ErrFormat)
	}
	rows, err := strconv.ParseUint(shape[1], 10, 62)
	if err != nil {
		return nil, fmt.Errorf("%w: %s rows", ErrFormat, shape[1])
	}
	dim, err := strconv.ParseUint(shape[2], 10, 62)
	if err != nil {
		return nil, fmt.Errorf("%w: %s components", ErrFormat, shape[2])
	}
	if err := checkDim(dim); err != nil {
		return nil, err
	}
	return &bin{r: r, kind: kind, dim: int(dim), rows: rows, left: rows}, nil
}

// npyHeader returns the header of a matrix of float32, always of one size.
func npyHeader(rows, dim int) []byte {
	const size = 128
	text := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", rows, dim)
	b := append([]byte(npyMagic), 1, 0)
	b = le.AppendUint16(b, size-10)
	b = append(b, text...)
	b = append(b, strings.Repeat(" ", size-1-len(b))...)
	return append(b, '\n')
}
