package ingest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"github.com/tarndb/tarn/cmd/tarn/internal/endable"
)

// maxLine bounds what one line may take.
const maxLine = 64 << 20

var errLongLine = fmt.Errorf("the line is longer than %d bytes", maxLine)

// source is where lines come from.
type source struct {
	r     *bufio.Reader
	n     uint64       // lines read
	read  atomic.Int64 // bytes of the file, compressed ones too
	size  int64        // of the file; 0: not known
	close func() error
}

// openSource opens a file, which is unpacked if its name ends in .gz, or stdin for
// "-". Reads of a pipe end with ctx.
func openSource(ctx context.Context, name string, stdin io.Reader) (*source, error) {
	s := &source{close: func() error { return nil }}
	if name == "-" {
		s.r = bufio.NewReaderSize(counting{endable.Reader(ctx, stdin), &s.read}, 1<<20)
		return s, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	s.close = f.Close
	var file io.Reader = f
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		s.size = info.Size()
	} else {
		file = endable.Reader(ctx, f)
	}
	var r io.Reader = counting{file, &s.read}
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(r); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
		}
	}
	s.r = bufio.NewReaderSize(r, 1<<20)
	return s, nil
}

type counting struct {
	r io.Reader
	n *atomic.Int64
}

func (c counting) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// next returns a line without its end, in memory of its own. errLongLine: it was
// passed over. io.EOF: there are no more.
func (s *source) next() ([]byte, error) {
	var line []byte
	long := false
	for {
		part, err := s.r.ReadSlice('\n')
		if !long && len(line)+len(part) > maxLine {
			line, long = nil, true
		}
		if !long {
			line = append(line, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("line %d: %w", s.n+1, err)
		}
		if err != nil && len(line) == 0 && !long {
			return nil, io.EOF
		}
		s.n++
		if long {
			return nil, errLongLine
		}
		if s.n == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff")) // a mark of byte order
		}
		return bytes.TrimSpace(line), nil
	}
}

// mayWait reports whether the next line may be long in coming: it is not here, and it is
// no file that has it.
func (s *source) mayWait() bool {
	if s.size > 0 {
		return false
	}
	here, _ := s.r.Peek(s.r.Buffered()) // no error: it is here
	return bytes.IndexByte(here, '\n') < 0
}

// skip passes over the first n lines.
func (s *source) skip(n uint64) error {
	begun := false // a line, with what filled the buffer
	for s.n < n {
		part, err := s.r.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			begun = true
		case err == nil, errors.Is(err, io.EOF) && (begun || len(part) > 0):
			s.n++
			begun = false
		case errors.Is(err, io.EOF):
			return fmt.Errorf("it has %d lines, and %d were stored from it before: is it another file? --source NAME begins anew under another name", s.n, n)
		default:
			return fmt.Errorf("line %d: %w", s.n+1, err)
		}
	}
	return nil
}
