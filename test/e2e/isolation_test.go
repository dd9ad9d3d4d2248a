package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Every engine that ships works without the rights that workers do not get, and so do
// the processes that engines start.
func TestWorkersAreIsolated(t *testing.T) {
	s := start(t, speechModels)
	for _, model := range []string{"qwen", "whisper", "piper", "hubert"} {
		t.Run(model, func(t *testing.T) {
			stream, err := s.admin.LoadModel(within(t, patience), &gatewayv1.LoadModelRequest{Name: model})
			for err == nil {
				_, err = stream.Recv()
			}
			pids := processes(t, int(s.model(t, model).GetWorkerPid()))
			if model == "piper" && len(pids) < 2 {
				t.Error("the phonemiser is not a child of its worker")
			}
			for _, pid := range pids {
				checkIsolated(t, pid)
			}
		})
	}
	if strings.Contains(s.output(), "the kernel cannot isolate workers") {
		t.Logf("this kernel lacks something:\n%s", s.output())
	}
}

// processes returns a process and its children.
func processes(t *testing.T, pid int) []int {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	pids := []int{pid}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has ended
		}
		for _, field := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, child)
		}
	}
	return pids
}

var statusLine = regexp.MustCompile(`(?m)^(Seccomp|NoNewPrivs|CapPrm|CapEff):\s*(\S+)$`)

// checkIsolated checks what the kernel says of a process. Landlock is not in it.
func checkIsolated(t *testing.T, pid int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, field := range statusLine.FindAllStringSubmatch(string(status), -1) {
		seen[field[1]] = field[2]
	}
	if seen["Seccomp"] != "2" || seen["NoNewPrivs"] != "1" {
		t.Errorf("process %d has Seccomp %s and NoNewPrivs %s", pid, seen["Seccomp"], seen["NoNewPrivs"])
	}
	for _, set := range []string{"CapPrm", "CapEff"} {
		if n, err := strconv.ParseUint(seen[set], 16, 64); err != nil || n&^(1<<unix.CAP_DAC_READ_SEARCH) != 0 {
			t.Errorf("process %d has the capabilities %s in %s", pid, seen[set], set)
		}
	}
}

// Other programs of the server's user cannot read the key with which the server was
// started. Root can, so as root the server and the other program are somebody else's.
func TestKeyIsHidden(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "modelgateway-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	copied, err := os.ReadFile(program(t))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "modelgateway")
	if err := os.WriteFile(file, copied, 0o755); err != nil { //nolint:gosec // a program that another user starts
		t.Fatal(err)
	}
	asUser := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 {
		const nobody = 65534
		asUser.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	const key = "KEY-OF-THE-TEST"
	env := []string{"GEMINI_API_KEY=" + key, "TMPDIR=" + dir, "HOME=" + dir, "PATH=" + os.Getenv("PATH")}

	server := exec.Command(file, "serve", "--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0", "--state-dir", filepath.Join(dir, "state"))
	plain := exec.Command("sleep", "100000")
	for _, cmd := range []*exec.Cmd{server, plain} {
		cmd.Env, cmd.Dir, cmd.SysProcAttr = env, dir, asUser
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		if cmd == server {
			if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, "is ready") {
				t.Fatalf("%q %v", line, err)
			}
		}
	}
	read := func(pid int, name string) (string, error) {
		cat := exec.Command("head", "-c", "4096", fmt.Sprintf("/proc/%d/%s", pid, name))
		cat.SysProcAttr = asUser
		var out bytes.Buffer
		cat.Stdout, cat.Stderr = &out, &out
		err := cat.Run()
		return out.String(), err
	}
	eventually(t, patience, "the environment of another program can be read", func() bool {
		got, err := read(plain.Process.Pid, "environ") // that of the test, before it starts its program
		return err == nil && strings.Contains(got, key)
	})
	for _, name := range []string{"environ", "mem", "maps"} {
		if got, err := read(server.Process.Pid, name); err == nil || !strings.Contains(got, "Permission denied") || strings.Contains(got, key) {
			t.Errorf("%s of the server: %v, %q", name, err, got)
		}
	}
}

// The program that encodes speech runs without the rights of the server.
func TestEncoderIsIsolated(t *testing.T) {
	s := start(t, speechModels)
	stream, err := s.models.Synthesize(within(t, patience), &gatewayv1.SynthesizeRequest{
		Input:  &gatewayv1.SynthesizeRequest_Text{Text: strings.Repeat(readAloud+" ", 50)},
		Output: &gatewayv1.SpeechOutput{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_OGG_OPUS},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, pid := range processes(t, s.cmd.Process.Pid) {
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && strings.Contains(string(name), "encode-speech") {
			found = true
			checkIsolated(t, pid)
		}
	}
	if !found {
		t.Error("no process encodes")
	}
}
