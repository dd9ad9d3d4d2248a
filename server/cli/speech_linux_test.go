package cli

import (
	"os"
	"strings"
	"testing"
)

// Speech arrives through a pipe and the terminal shows the interim transcript.
// Ctrl-C ends the speech, not the command.
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

// The second Ctrl-C ends the command even if the server does not answer.
func TestSecondCtrlCEndsLiveSpeech(t *testing.T) {
	s := start(t)
	cmd := s.command(t, "transcribe", "-", "-m", "slowest", "--timeout=1m")
	r, microphone, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = r.Close(), microphone.Close() }()
	cmd.Stdin = r
	o := onTerminal(t, cmd)
	if _, err := microphone.Write(make([]byte, 10)); err != nil { // the model loads when the first audio arrives
		t.Fatal(err)
	}
	o.expect("slowest loading")
	o.send(keyCtrlC)
	o.expect("Ctrl-C again to abort")
	o.send(keyCtrlC)
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("exit code %d", cmd.ProcessState.ExitCode())
	}
}

func TestAudioIsNotWrittenToATerminal(t *testing.T) {
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
		t.Errorf("colours despite NO_COLOR: %q", o.seen.String())
	}
}
