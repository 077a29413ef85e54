package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/tarndb/tarn"
)

// advice says what to do about an error of the library.
var advice = []struct {
	err  error
	then string
}{
	{tarn.ErrLocked, "another process has this store open; close it, or use another folder"},
	{tarn.ErrExists, "choose a folder that does not hold it yet, or remove the old one"},
	{tarn.ErrNoSpace, "the disk is full; what was acknowledged is safe, make room and try again"},
	{tarn.ErrCorrupt, "a file is damaged or is not a store's; nothing was changed. tarn verify DIR says what, tarn repair DIR salvages what is whole"},
	{tarn.ErrNotFound, "look at the name; tarn stats DIR lists the collections of a store, tarn scroll DIR COLLECTION the points of one"},
	{tarn.ErrDimension, "tarn stats DIR tells the dimension of each collection"},
	{tarn.ErrVersion, "the store was written by a newer tarn; use that one"},
	{tarn.ErrFailed, "the disk failed while writing; open the store again to see what is there"},
	{fs.ErrPermission, "this user may not read or write there"},
}

// takenError: there is something where restore would make a store, and the error says
// what to do.
type takenError struct{ error }

func (e takenError) Unwrap() error { return e.error }

// noBackupError: what restore was given is no whole backup.
type noBackupError struct{ error }

func (e noBackupError) Unwrap() error { return e.error }

// explain turns an error into what a person can act on.
func explain(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	if errors.As(err, new(noBackupError)) {
		return fmt.Sprintf("%v\n      this is no whole backup; nothing was made of it. Another one may be", err)
	}
	if errors.As(err, new(takenError)) {
		return err.Error()
	}
	for _, a := range advice {
		if errors.Is(err, a.err) {
			return fmt.Sprintf("%v\n      %s", err, a.then)
		}
	}
	return err.Error()
}
