package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminalOf is a program that runs on its own terminal. Standard error is the
// terminal; so are standard input and output unless the command sets them.
type terminalOf struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd
	seen   bytes.Buffer
}

func onTerminal(t *testing.T, cmd *exec.Cmd) *terminalOf {
	t.Helper()
	// Reads can have a deadline only if the file does not block.
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { _ = master.Close() })
	number := unlock(t, master)
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	defer func() { _ = slave.Close() }()
	if cmd.Stdin == nil {
		cmd.Stdin = slave
	}
	if cmd.Stdout == nil {
		cmd.Stdout = slave
	}
	cmd.Stderr = slave
	cmd.Env = append(cmd.Env, "TERM=xterm")
	const stderr = 2
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: stderr}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return &terminalOf{t: t, master: master, cmd: cmd}
}

// unlock unlocks the slave side of the terminal and returns its number.
func unlock(t *testing.T, master *os.File) (number int) {
	t.Helper()
	raw, err := master.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		var numbered error
		number, numbered = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		failed = errors.Join(numbered, unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0),
			unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 120}))
	})
	if err := errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
	return number
}

// expect reads until the terminal shows the text, and discards what it read.
func (o *terminalOf) expect(text string) {
	o.t.Helper()
	buf := make([]byte, 4096)
	if err := o.master.SetReadDeadline(time.Now().Add(patience)); err != nil {
		o.t.Fatal(err)
	}
	for {
		if i := strings.Index(o.seen.String(), text); i >= 0 {
			o.seen.Next(i + len(text))
			return
		}
		n, err := o.master.Read(buf)
		if err != nil {
			o.t.Fatalf("the terminal ended before %q: %v; it shows %q", text, err, o.seen.String())
		}
		o.seen.Write(buf[:n])
	}
}

func (o *terminalOf) send(keys string) {
	o.t.Helper()
	if _, err := io.WriteString(o.master, keys); err != nil {
		o.t.Fatal(err)
	}
}

// expectPrompt waits until the terminal shows the prompt and the line editor reads
// the keys. The editor switches to raw mode after it has printed its prompt; a
// Ctrl-C between the two is still a signal.
func (o *terminalOf) expectPrompt() {
	o.t.Helper()
	o.expect("> ")
	for end := time.Now().Add(patience); !o.rawMode(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			o.t.Fatal("the prompt appeared, but Ctrl-C still is a signal")
		}
	}
}

// rawMode reports whether the terminal passes Ctrl-C on as a key.
func (o *terminalOf) rawMode() bool {
	o.t.Helper()
	raw, err := o.master.SyscallConn()
	if err != nil {
		o.t.Fatal(err)
	}
	var mode *unix.Termios
	var failed error
	err = raw.Control(func(fd uintptr) { mode, failed = unix.IoctlGetTermios(int(fd), unix.TCGETS) })
	if err := errors.Join(err, failed); err != nil {
		o.t.Fatal(err)
	}
	return mode.Lflag&unix.ISIG == 0
}

const (
	keyCtrlC = "\x03"
	keyCtrlD = "\x04"
)

func TestConversation(t *testing.T) {
	s := start(t)
	o := onTerminal(t, s.command(t, "chat"))
	o.expect("/help")
	o.expectPrompt()
	o.send("Hello\r")
	o.expect("lazy dog. ")
	o.expect("fast · 10 tokens")
	o.expectPrompt()
	o.send("/quit\r")
	if err := o.cmd.Wait(); err != nil {
		t.Errorf("/quit ends with %v", err)
	}
}

func TestConversationContinuesAfterAStoppedAnswer(t *testing.T) {
	s := start(t)
	o := onTerminal(t, s.command(t, "chat", "--system=Be kind."))
	o.expectPrompt()
	o.send(`fault:{"text":"Well then ","fault":"stall","fault_after_tokens":2}` + "\r")
	o.expect("\r\nWell then ")
	o.send(keyCtrlC)
	o.expectPrompt()
	o.send("And now?\r")
	o.expect("lazy dog. ")
	o.expectPrompt()
	o.send("/nonsense\r")
	o.expect("/reset")
	o.expectPrompt()
	o.send("/reset\r")
	o.expectPrompt()
	o.send(keyCtrlC)
	o.expectPrompt()
	o.send(keyCtrlD)
	if err := o.cmd.Wait(); err != nil {
		t.Errorf("Ctrl-D ends with %v", err)
	}
}

func TestConversationNeedsAServer(t *testing.T) {
	o := onTerminal(t, command(t, "chat", "--addr=unix:"+t.TempDir()+"/none.sock"))
	o.expect("no server answers")
	if err := o.cmd.Wait(); err == nil || o.cmd.ProcessState.ExitCode() != exitNoServer {
		t.Errorf("ended with %v", err)
	}
}
