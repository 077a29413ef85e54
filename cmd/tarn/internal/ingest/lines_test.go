package ingest

import (
	"bufio"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestALineThatIsTooLongIsPassedOverAndNumbered(t *testing.T) {
	long := strings.NewReader(strings.Repeat("x", maxLine+1) + "\n")
	s := &source{r: bufio.NewReaderSize(io.MultiReader(strings.NewReader("one\r\n\n"), long, strings.NewReader("four")), 1<<16)}
	for _, want := range []string{"one", ""} {
		line, err := s.next()
		require.NoError(t, err)
		require.Equal(t, want, string(line))
	}
	_, err := s.next()
	require.ErrorIs(t, err, errLongLine)
	line, err := s.next()
	require.NoError(t, err, "a last line without an end is one")
	require.Equal(t, "four", string(line))
	require.EqualValues(t, 4, s.n)
	_, err = s.next()
	require.ErrorIs(t, err, io.EOF)
}

func TestLinesAreSkippedByNumber(t *testing.T) {
	s := &source{r: bufio.NewReader(strings.NewReader("1\n2\n3"))}
	require.NoError(t, s.skip(2))
	line, err := s.next()
	require.NoError(t, err)
	require.Equal(t, "3", string(line))
	require.ErrorContains(t, s.skip(4), "another file")
}

func TestALastLineThatFillsTheBufferCountsWhenItIsSkipped(t *testing.T) {
	const text = "one\n0123456789abcdef" // no line end; the buffer's size, which is the least there is
	s := &source{r: bufio.NewReaderSize(strings.NewReader(text), 16)}
	for _, want := range strings.Split(text, "\n") {
		line, err := s.next()
		require.NoError(t, err)
		require.Equal(t, want, string(line))
	}
	again := &source{r: bufio.NewReaderSize(strings.NewReader(text), 16)}
	require.NoError(t, again.skip(s.n))
	require.ErrorContains(t, again.skip(s.n+1), "it has 2 lines")
}
