package cli

import (
	"os"
	"strings"
	"testing"
)

// A person speaks into a pipe and sees on the terminal what is understood; Ctrl-C
// is the end of the speech and not of the command.
func TestLiveSpeechOnATerminal(t *testing.T) {
	s := start(t)
	cmd := s.command(t, "transcribe", "-")
	r, microphone, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = r.Close(), microphone.Close() }()
	cmd.Stdin = r
	o := onTerminal(t, cmd)
	if _, err := microphone.Write(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	o.expect("\x1b[2m10 bytes")
	if _, err := microphone.Write(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	o.expect("\r\x1b[K\x1b[2m15 bytes")
	o.send(keyCtrlC)
	o.expect("\r\x1b[K15 bytes\r\n")
	o.expect("fast")
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
}

// The second Ctrl-C ends the command, whatever the server does.
func TestLiveSpeechThatHangs(t *testing.T) {
	s := start(t)
	cmd := s.command(t, "transcribe", "-", "-m", "slowest", "--timeout=1m")
	r, microphone, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = r.Close(), microphone.Close() }()
	cmd.Stdin = r
	o := onTerminal(t, cmd)
	if _, err := microphone.Write(make([]byte, 10)); err != nil { // the model loads at the first sound
		t.Fatal(err)
	}
	o.expect("slowest loading")
	o.send(keyCtrlC)
	o.expect("Ctrl-C again gives up")
	o.send(keyCtrlC)
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("exit code %d", cmd.ProcessState.ExitCode())
	}
}

func TestSoundDoesNotGoToATerminal(t *testing.T) {
	s := start(t)
	o := onTerminal(t, s.command(t, "synthesize", "hi"))
	o.expect("name a file with -o")
	if _ = o.cmd.Wait(); o.cmd.ProcessState.ExitCode() != exitUsage {
		t.Errorf("exit code %d", o.cmd.ProcessState.ExitCode())
	}
	o = onTerminal(t, s.command(t, "transcribe", "-"))
	o.expect("standard input is a terminal")
	if _ = o.cmd.Wait(); o.cmd.ProcessState.ExitCode() != exitUsage {
		t.Errorf("exit code %d", o.cmd.ProcessState.ExitCode())
	}
}

func TestPronunciationOnARealTerminal(t *testing.T) {
	s := start(t)
	clip := recording(t, 100)
	o := onTerminal(t, s.command(t, "pronounce", clip, "--text=one two"))
	o.expect("\x1b[32mone\x1b[")
	o.expect("left out")
	o.expect("overall 100")
	if err := o.cmd.Wait(); err != nil {
		t.Error(err)
	}
	cmd := s.command(t, "pronounce", clip, "--text=one two")
	cmd.Env = append(cmd.Env, "NO_COLOR=1")
	o = onTerminal(t, cmd)
	o.expect("fast") // the last line
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if strings.Contains(o.seen.String(), "\x1b[3") {
		t.Errorf("colours in spite of NO_COLOR: %q", o.seen.String())
	}
}
