package data

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/tarndb/tarn"
)

// Folder is the environment variable that names the folder of the real sets.
const Folder = "TARN_DATA"

// ErrNoFolder is returned by Load when the variable is not set.
var ErrNoFolder = errors.New(Folder + " is not set")

// Names are the real sets.
var Names = []string{"mnist-784", "debdocs-minilm", "godoc-minilm"}

// formats says what a set's vectors are stored as.
var formats = map[string]struct {
	metric tarn.Metric
	ext    string
}{
	"mnist-784":      {tarn.L2, "u8bin"},
	"debdocs-minilm": {tarn.Cosine, "f16bin"},
	"godoc-minilm":   {tarn.Cosine, "f16bin"},
}

// Load reads a real set.
func Load(name string) (*Set, error) {
	dir := os.Getenv(Folder)
	if dir == "" {
		return nil, fmt.Errorf("%s: %w", name, ErrNoFolder)
	}
	f, ok := formats[name]
	if !ok {
		return nil, fmt.Errorf("no set is called %q", name)
	}
	s := &Set{Name: name, Metric: f.metric}
	var err error
	if s.Base, err = ReadVectors(filepath.Join(dir, name, "base."+f.ext+".gz")); err != nil {
		return nil, err
	}
	if s.Queries, err = ReadVectors(filepath.Join(dir, name, "query."+f.ext+".gz")); err != nil {
		return nil, err
	}
	s.Truth, err = readRows(filepath.Join(dir, name, "gt100.ibin.gz"))
	return s, err
}

// LoadQueries reads a real set's queries alone.
func LoadQueries(name string) ([][]float32, error) {
	dir := os.Getenv(Folder)
	if dir == "" {
		return nil, fmt.Errorf("%s: %w", name, ErrNoFolder)
	}
	return ReadVectors(filepath.Join(dir, name, "query."+formats[name].ext+".gz"))
}

// LoadAttributes reads what a real set says of its vectors, one JSON object each,
// in row order.
func LoadAttributes(name string) ([]tarn.Payload, error) {
	dir := os.Getenv(Folder)
	if dir == "" {
		return nil, fmt.Errorf("%s: %w", name, ErrNoFolder)
	}
	var all []tarn.Payload
	err := unzip(filepath.Join(dir, name, "base.jsonl.gz"), func(r io.Reader) error {
		for d := json.NewDecoder(r); ; {
			var p tarn.Payload
			switch err := d.Decode(&p); {
			case err == io.EOF:
				return nil
			case err != nil:
				return err
			}
			all = append(all, p)
		}
	})
	return all, err
}

// ReadVectors reads a gzipped u8bin, f16bin or fbin file.
func ReadVectors(path string) ([][]float32, error) {
	var rows [][]float32
	err := readMatrix(path, func(n, dim int, raw []byte) error {
		flat := make([]float32, n*dim)
		le := binary.LittleEndian
		switch len(raw) {
		case n * dim:
			for i := range flat {
				flat[i] = float32(raw[i])
			}
		case n * dim * 2:
			for i := range flat {
				flat[i] = half(le.Uint16(raw[i*2:]))
			}
		case n * dim * 4:
			for i := range flat {
				flat[i] = math.Float32frombits(le.Uint32(raw[i*4:]))
			}
		default:
			return fmt.Errorf("%d bytes for %d x %d", len(raw), n, dim)
		}
		for i := range n {
			rows = append(rows, flat[i*dim:(i+1)*dim:(i+1)*dim])
		}
		return nil
	})
	return rows, err
}

// readRows reads a gzipped ibin file.
func readRows(path string) ([][]uint32, error) {
	var rows [][]uint32
	err := readMatrix(path, func(n, width int, raw []byte) error {
		if len(raw) != n*width*4 {
			return fmt.Errorf("%d bytes for %d x %d", len(raw), n, width)
		}
		for i := range n {
			row := make([]uint32, width)
			for j := range row {
				row[j] = binary.LittleEndian.Uint32(raw[(i*width+j)*4:])
			}
			rows = append(rows, row)
		}
		return nil
	})
	return rows, err
}

func readMatrix(path string, fn func(n, dim int, raw []byte) error) error {
	return unzip(path, func(r io.Reader) error {
		raw, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if len(raw) < 8 {
			return io.ErrUnexpectedEOF
		}
		return fn(int(binary.LittleEndian.Uint32(raw)), int(binary.LittleEndian.Uint32(raw[4:])), raw[8:])
	})
}

func unzip(path string, fn func(io.Reader) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<20))
	if err == nil {
		err = fn(z)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// half converts an IEEE half float.
func half(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	switch exp {
	case 0:
		return math.Float32frombits(sign | math.Float32bits(float32(frac)*0x1p-24))
	case 31:
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}
