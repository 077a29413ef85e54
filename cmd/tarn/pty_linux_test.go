package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// onTerminal runs a command of a shell on a terminal of that many columns, and returns
// what stands on it at the end.
func onTerminal(t *testing.T, env []string, columns int, line string) (screen string, status int) {
	t.Helper()
	ours, theirs := openTerminal(t, columns)
	cmd := exec.Command("sh", "-c", line)
	cmd.Env = append(env, "TERM=xterm-256color")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, cmd.Start())
	require.NoError(t, theirs.Close())
	raw, _ := io.ReadAll(ours) // it ends with EIO when nobody has the other side
	_ = cmd.Wait()             // its status is looked at
	require.NoError(t, ours.Close())
	return drawn(string(raw)), cmd.ProcessState.ExitCode()
}

// openTerminal returns both sides of a new one.
func openTerminal(t *testing.T, columns int) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	theirs, err = os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetWinsize(int(theirs.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: uint16(columns)}))
	return ours, theirs
}

// drawn returns what is left of a text on a terminal: of a line that is drawn again and
// again, how it was drawn last.
func drawn(raw string) string {
	lines := strings.Split(strings.ReplaceAll(raw, "\r\n", "\n"), "\n")
	for i, line := range lines {
		if k := strings.LastIndex(line, "\x1b[J"); k >= 0 {
			lines[i] = line[k+len("\x1b[J"):]
		}
	}
	return strings.Join(lines, "\n")
}
