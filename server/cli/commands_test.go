package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestHelpMatchesGoldenFiles(t *testing.T) {
	for name, args := range map[string][]string{
		"modelgateway": {"--help"}, "serve": {"serve", "--help"}, "chat": {"chat", "--help"}, "grammar": {"grammar", "--help"},
		"transcribe": {"transcribe", "--help"}, "synthesize": {"synthesize", "--help"}, "pronounce": {"pronounce", "--help"},
		"load": {"load", "--help"}, "models": {"models", "--help"}, "doctor": {"doctor", "--help"},
		"pull": {"pull", "--help"}, "import": {"import", "--help"},
	} {
		t.Run(name, func(t *testing.T) {
			got := finish(t, command(t, args...))
			file := filepath.Join("testdata", "help", name+".txt")
			if *update {
				write(t, file, got.out)
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got.code != exitOK || got.out != string(want) {
				t.Errorf("exit code %d, or the help differs from %s (\"go test -update\" rewrites it):\n%s", got.code, file, got.out)
			}
		})
	}
}

func TestWithoutServer(t *testing.T) {
	dir := t.TempDir()
	noServer := "--addr=unix:" + filepath.Join(dir, "none.sock")
	clip, sound := filepath.Join(dir, "clip.wav"), filepath.Join(dir, "sound.wav")
	write(t, clip, "RIFF")
	for _, args := range [][]string{
		{"status"}, {"models"}, {"models", "--watch"}, {"load", "x"}, {"unload", "x"}, {"plan", "x"},
		{"chat", "hi"}, {"grammar", "hi"}, {"respond", "hi"}, {"explain", "hi"},
		{"transcribe", clip}, {"transcribe", "-"}, {"synthesize", "hi"}, {"synthesize", "hi", "-o", sound}, {"pronounce", clip, "--text=hi"},
	} {
		finish(t, command(t, append(args, noServer)...)).check(t, exitNoServer, "no server answers", "modelgateway serve")
	}
}

func TestWrongCommandLines(t *testing.T) {
	finish(t, command(t, "lod", "qwen")).check(t, exitUsage, `did you mean "load"`)
	finish(t, command(t, "chat", "--temperature=hot", "hi")).check(t, exitUsage, "--temperature")
	finish(t, command(t, "respond", "--level=D1", "hi")).check(t, exitUsage, "--level")
	finish(t, command(t, "grammar", "")).check(t, exitUsage, "no text: give it")
	finish(t, command(t, "serve", "--config=none.yaml")).check(t, exitUsage, "none.yaml")
	for _, addr := range []string{"bad addr ::", "localhost", "my host:50051", "unix:", "127.0.0.1:"} {
		finish(t, command(t, "status", "--addr", addr)).check(t, exitUsage, "--addr", "host:port")
	}
	starter := filepath.Join(t.TempDir(), "starter.yaml")
	write(t, starter, "models: {a: {engine: llama, path: \"starter:none.gguf\"}}\n")
	finish(t, command(t, "serve", "--config", starter)).check(t, exitUsage, "none.gguf")
	empty := command(t, "chat")
	empty.Stdin = strings.NewReader(" \n")
	finish(t, empty).check(t, exitUsage, "no text: give it")
}

// The version and the revision that scripts/build.sh sets are printed.
func TestVersionIsSetByTheBuild(t *testing.T) {
	program := filepath.Join(t.TempDir(), "modelgateway")
	build := exec.Command("go", "build", "-ldflags", "-X main.version=1.2.3 -X main.revision=0123abcd", "-o", program, "../../cmd/modelgateway")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	finish(t, exec.Command(program, "version")).check(t, exitOK, "modelgateway 1.2.3\n", "commit           0123abcd\n")
}

func TestVersion(t *testing.T) {
	finish(t, command(t, "version")).check(t, exitOK, "modelgateway dev", "commit", "go1.", "modelgateway.engine.v1")
	var v versions
	if err := json.Unmarshal([]byte(finish(t, command(t, "version", "--json")).out), &v); err != nil || v.Go == "" || v.Commit == "" {
		t.Errorf("%v %+v", err, v)
	}
}

func TestCommandsOfARunningServer(t *testing.T) {
	s := start(t)
	t.Run("chat", func(t *testing.T) {
		r := s.run(t, "chat", "Hello", "there")
		r.check(t, exitOK)
		if r.out != "The quick brown fox jumps over the lazy dog. \n" || r.err != "" {
			t.Errorf("printed %q, and %q on standard error", r.out, r.err)
		}
		s.run(t, "chat", "--stats", "hi").check(t, exitOK, "fast · 10 tokens")
		s.run(t, "chat", "--max-tokens=2", "hi").check(t, exitOK, "The quick \n", "--max-tokens")
	})
	t.Run("chat from standard input", func(t *testing.T) {
		cmd := s.command(t, "chat")
		cmd.Stdin = strings.NewReader(`fault:{"text":"Xin chào "}` + "\n")
		finish(t, cmd).check(t, exitOK, "Xin chào \n")
	})
	t.Run("chat as JSON", func(t *testing.T) {
		lines := strings.Split(strings.TrimSpace(s.run(t, "chat", "--json", "hi").out), "\n")
		var last struct {
			FinishReason string                         `json:"finish_reason"`
			ServedBy     struct{ Model, Engine string } `json:"served_by"`
		}
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.FinishReason != "FINISH_REASON_STOP" || last.ServedBy.Model != "fast" {
			t.Errorf("last line %s: %v", lines[len(lines)-1], err)
		}
	})
	t.Run("tutor", func(t *testing.T) {
		s.run(t, "grammar", "I am fine.").check(t, exitOK, "I am fine.\nscore 100\n")
		s.run(t, "respond", "--level=A1", "Hello").check(t, exitOK, "You said: Hello\n")
		s.run(t, "explain", "Hello").check(t, exitOK, "Bạn đã viết: Hello\n")
		s.run(t, "grammar", "--json", "Hi").check(t, exitOK, `"corrected_text": "Hi"`)
	})
	t.Run("models", func(t *testing.T) {
		s.run(t, "models").check(t, exitOK, "DECLARED", "fast", "ready", "64 MiB", "fast: A model for tests.")
		s.run(t, "models", "huge").check(t, exitOK, "4.9 GiB")
		s.run(t, "models", "--json").check(t, exitOK, `"state": "MODEL_STATE_READY"`)
		s.run(t, "status").check(t, exitOK, "memory   64 MiB of 300 MiB", "QUEUED")
	})
	t.Run("load and unload", func(t *testing.T) {
		s.run(t, "load", "--pin", "slow").check(t, exitOK, "slow loading", "slow is ready (pinned): 100 MiB")
		s.run(t, "plan", "slow").check(t, exitOK, "already loaded", "loads in about")
		s.run(t, "plan", "huge").check(t, exitOK, "never fits", "keep")
		s.run(t, "unload", "slow").check(t, exitOK, "slow is unloaded, 100 MiB freed")
	})
	t.Run("errors", func(t *testing.T) {
		s.run(t, "chat", "-m", "missing", "hi").check(t, exitNotFound, `MODEL_NOT_FOUND: no model "missing"`, "modelgateway models")
		s.run(t, "chat", "-m", "broken", "hi").check(t, exitUnservable, "MODEL_FILE_INVALID: ", "modelgateway doctor")
		s.run(t, "chat", "-m", "broken", "hi").check(t, exitBusy, "LOAD_COOLDOWN", "Try again in")
		s.run(t, "load", "huge").check(t, exitUnservable, "MODEL_EXCEEDS_BUDGET", "MAX_MEMORY_MB")
		s.run(t, "models").check(t, exitOK, "broken failed: MODEL_FILE_INVALID")
		crash := s.run(t, "chat", `fault:{"fault":"crash","fault_after_tokens":2,"token_interval_us":50000}`)
		crash.check(t, exitBusy, "ENGINE_CRASHED")
		// A crash may lose the last part of the output.
		if crash.out != "The quick \n" && crash.out != "The \n" {
			t.Errorf("the output before the crash is %q", crash.out)
		}
		s.run(t, "chat", "--timeout=300ms", `fault:{"fault":"stall"}`).check(t, exitDeadline, "--timeout")
		s.run(t, "chat", "--temperature=3", "hi").check(t, exitUsage, "INVALID_REQUEST", "temperature")
		s.run(t, "--json", "load", "missing").check(t, exitNotFound, `{"error":{"reason":"MODEL_NOT_FOUND"`, `"exit_code":4`)
	})
}

func TestInterruptedAnswer(t *testing.T) {
	s := start(t)
	cmd := s.command(t, "chat", `fault:{"fault":"stall","fault_after_tokens":2}`)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	begin := make([]byte, len("The quick "))
	if _, err := bufio.NewReader(stdout).Read(begin); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != exitInterrupted || errOut.Len() > 0 {
		t.Errorf("exit code %d, printed %q", cmd.ProcessState.ExitCode(), errOut.String())
	}
}

func TestWatchRunsUntilInterrupted(t *testing.T) {
	s := start(t)
	cmd := s.command(t, "models", "fast", "--watch")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	await := func(want string) {
		for lines.Scan() {
			if strings.Contains(lines.Text(), want) {
				return
			}
		}
		t.Fatalf("the events ended without %q", want)
	}
	await("unloaded")
	s.run(t, "chat", "hi").check(t, exitOK)
	await("loading → ready")
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		continue // the rest of the output
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("an interrupted watch ends with %v", err)
	}
}

// The health check of the image runs with the server's environment and no flags.
func TestDefaultAddressIsThatOfTheServer(t *testing.T) {
	s := start(t)
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, env := range [][]string{
		{"MODELGATEWAY_GRPC_LISTEN=0.0.0.0:" + port},
		{"MODELGATEWAY_GRPC_LISTEN= :" + port},
		{"MODELGATEWAY_GRPC_LISTEN=" + s.addr},
		{"MODELGATEWAY_GRPC_LISTEN=unix:/nonexistent", "MODELGATEWAY_ADDR=" + s.addr},
	} {
		cmd := command(t, "status")
		cmd.Env = append(cmd.Env, env...)
		finish(t, cmd).check(t, exitOK)
	}
	cmd := command(t, "status")
	cmd.Env = append(cmd.Env, "MODELGATEWAY_GRPC_LISTEN=unix:/nonexistent/socket")
	finish(t, cmd).check(t, exitNoServer, "unix:/nonexistent/socket")
}
