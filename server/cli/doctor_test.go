package cli

import (
	"encoding/json"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/server/internal/doctor"
)

func TestDoctorWithoutServer(t *testing.T) {
	state := t.TempDir()
	args := []string{"doctor", "--config", settings(t), "--state-dir", state, "--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"}
	cmd := command(t, args...)
	cmd.Env = append(cmd.Env, "GEMINI_API_KEY=very-secret")
	r := finish(t, cmd)
	r.check(t, exitFailed, "OK   engine fault", "engine-fault 1.0.0; devices cpu", "OK   model fast", "FAIL model huge", "Raise MAX_MEMORY_MB",
		"OK   GEMINI_API_KEY   set", "127.0.0.1:0 is free", "1 failed")
	if strings.Contains(r.out+r.err, "very-secret") {
		t.Error("the key is printed")
	}

	var result struct {
		Findings []doctor.Finding
		Failed   int
	}
	r = finish(t, command(t, append(args, "--json")...))
	if err := json.Unmarshal([]byte(r.out), &result); err != nil || result.Failed != 1 || r.code != exitFailed {
		t.Errorf("%v: %d findings, %d failed, exit code %d", err, len(result.Findings), result.Failed, r.code)
	}
}

func TestDoctorReportsFailures(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	finish(t, command(t, "doctor", "--config", settings(t), "--engines-dir", t.TempDir(), "--device", "cuda",
		"--state-dir", "/proc/none", "--models-dir", "/nowhere", "--http-listen", taken.Addr().String(), "--grpc-listen", "127.0.0.1:0")).
		check(t, exitFailed, "FAIL state directory", "WARN models directory", "engine-fault", "FAIL HTTP address", "in use", "--http-listen")

	finish(t, command(t, "doctor", "--config", settings(t), "--state-dir", t.TempDir(), "--device", "cuda")).
		check(t, exitFailed, "FAIL device", "cuda is not available to fault", "MODEL_DEVICE=auto")

	broken := t.TempDir()
	write(t, broken+"/engine-fault", "#!/bin/sh\necho the licence has run out >&2\nexit 1\n")
	if err := os.Chmod(broken+"/engine-fault", 0o700); err != nil {
		t.Fatal(err)
	}
	finish(t, command(t, "doctor", "--config", settings(t), "--engines-dir", broken, "--state-dir", t.TempDir())).
		check(t, exitFailed, "FAIL engine fault", "ended before the handshake", "the licence has run out")

	file := t.TempDir() + "/wrong.yaml"
	write(t, file, "max_memry_mb: 1\n")
	finish(t, command(t, "doctor", "--config", file)).check(t, exitFailed, "FAIL configuration", "max_memory_mb")
}

func TestDoctorWithARunningServer(t *testing.T) {
	file := settings(t)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, strings.Replace(string(text), "grammar: {primary: fast}", "grammar: {primary: broken, fallbacks: [fast]}", 1))
	s := startWith(t, file)
	ask := []string{"doctor", "--config", file, "--state-dir", t.TempDir(), "--grpc-listen", s.addr, "--http-listen", s.http}
	finish(t, command(t, ask...)).check(t, exitFailed, "OK   server", "version dev is running at "+s.addr, "OK   fallbacks        0 of 0 requests")
	s.run(t, "grammar", "She have a cat.").check(t, exitOK)
	finish(t, command(t, ask...)).check(t, exitFailed, "WARN fallbacks", "1 of 1 requests", "from broken to fast because of MODEL_FILE_INVALID", "modelgateway models")
}
