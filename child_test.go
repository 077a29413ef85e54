package tarn_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tarndb/tarn"
)

// childVariable names what this test binary does instead of its tests.
const childVariable = "TARN_TEST_CHILD"

// children are what another process can be told to do with the store in a folder.
var children = map[string]func(dir string) error{
	"hold":  holdOpen,
	"write": writeUntilItFails,
}

// runChild does not return in a process that is a child of a test.
func runChild() {
	name, ok := os.LookupEnv(childVariable)
	if !ok {
		return
	}
	if err := children[name](os.Args[1]); err != nil {
		fmt.Println("error:", err)
		os.Exit(3)
	}
	os.Exit(0)
}

// startChild starts another process, under a command if one is given, and returns
// what it says line by line.
func startChild(t *testing.T, name, dir string, under ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	args := append(under, self, dir)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), childVariable+"="+name)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd, bufio.NewScanner(out)
}

// holdOpen opens a store, says so, and waits to be killed.
func holdOpen(dir string) error {
	if _, err := tarn.Open(dir, nil); err != nil {
		return err
	}
	fmt.Println("open")
	select {}
}

// writeUntilItFails writes point after point and says which are acknowledged; the
// error that ends it is said last, and what the store does after it.
func writeUntilItFails(dir string) error {
	db, err := tarn.Open(dir, nil)
	if err != nil {
		return err
	}
	c, err := db.EnsureCollection(ctx, "test", tarn.CollectionConfig{Dim: dim})
	if err != nil {
		return err
	}
	for id := uint64(1); ; id++ {
		p := tarn.Point{ID: id, Vector: vector(newRand(id), dim)}
		if err := c.Upsert(ctx, p); err != nil {
			fmt.Println("failed:", err)
			again := c.Upsert(ctx, p)
			fmt.Println("again:", again)
			near, err := c.Search(ctx, p.Vector, 1)
			fmt.Println("search:", len(near), err)
			fmt.Println("close:", db.Close() != nil)
			return nil
		}
		fmt.Println("acked", id)
		if id%50 == 0 {
			if err := c.Checkpoint(ctx); err != nil {
				fmt.Println("checkpoint:", err)
			}
		}
		if id == 5000 {
			return db.Close()
		}
	}
}
