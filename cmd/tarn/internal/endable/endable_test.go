package endable

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestI2_WhatIsReadAndWrittenIsWhatThereIs(t *testing.T) {
	text := strings.Repeat("a small lake. ", 1000)
	require.NoError(t, iotest.TestReader(Reader(t.Context(), strings.NewReader(text)), []byte(text)))
	got, err := io.ReadAll(iotest.OneByteReader(Reader(t.Context(), strings.NewReader(text))))
	require.NoError(t, err)
	require.Equal(t, text, string(got))
	var out bytes.Buffer
	n, err := io.Copy(Writer(t.Context(), &out), strings.NewReader(text))
	require.NoError(t, err)
	require.EqualValues(t, len(text), n)
	require.Equal(t, text, out.String())
	boom := errors.New("boom")
	_, err = Reader(t.Context(), iotest.ErrReader(boom)).Read(make([]byte, 1))
	require.ErrorIs(t, err, boom)
}

func TestI1_ACallThatBlocksEndsWithItsContext(t *testing.T) {
	r, w := io.Pipe() // nobody writes, nobody reads
	ctx, cancel := context.WithCancel(t.Context())
	in := Reader(ctx, r)
	done := make(chan error, 1)
	go func() {
		_, err := in.Read(make([]byte, 10))
		done <- err
	}()
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	_, err := in.Read(make([]byte, 10))
	require.ErrorIs(t, err, context.Canceled)

	r2, w2 := io.Pipe()
	out := Writer(ctx, w2)
	_, err = out.Write([]byte("x"))
	require.ErrorIs(t, err, context.Canceled)
	_, err = out.Write([]byte("x"))
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, errors.Join(r.Close(), w.Close(), r2.Close(), w2.Close()))
	var b bytes.Buffer
	n, err := Writer(ctx, &b).Write([]byte("a report"))
	require.NoError(t, err, "who listens is still told")
	require.Equal(t, 8, n)
	require.Equal(t, "a report", b.String())
}
