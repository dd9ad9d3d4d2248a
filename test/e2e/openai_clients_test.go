package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/models/modelstest"
)

// clientsFolder has the programs that use the clients, and lists of their packages.
const clientsFolder = "test/e2e/openai"

// unreachable is the exit status of scripts/tools.sh without a registry.
const unreachable = 3

// Clients of OpenAI's API that others wrote, as their registries have them, work with
// published models: the example of each in docs/openai.md, and the program that checks
// what the client is used for. The model calls a tool, and uses its answer.
func TestOpenAIClients(t *testing.T) {
	s := start(t, fmt.Sprintf(`
models:
  qwen: {engine: llama, path: %q}
  whisper: {engine: whisper, path: %q, parameters: {temperature_inc: 0}}
  piper: {engine: piper, path: %q}
tasks:
  chat: {primary: qwen, fallbacks: []}
  grammar: {primary: qwen, fallbacks: []}
  respond: {primary: qwen, fallbacks: []}
  transcribe: {primary: whisper, fallbacks: []}
  synthesize: {primary: piper, fallbacks: []}
  pronunciation: {primary: qwen, fallbacks: []}
  explain_vietnamese: {primary: qwen, fallbacks: []}
`, modelstest.Path(t, "smollm2-135m-instruct"), modelstest.Path(t, "whisper-tiny.en"), modelstest.Path(t, "en_US-joe-medium")))
	base := s.http + "/openai/v1"
	dir := t.TempDir()
	recording := filepath.Join(dir, "clip.wav")
	if err := os.WriteFile(recording, s.say(t, readAloud).wav(), 0o600); err != nil {
		t.Fatal(err)
	}
	// No client fetches or sends anything else.
	env := []string{"LITELLM_LOCAL_MODEL_COST_MAP=True", "LANGSMITH_TRACING=false", "HF_HUB_OFFLINE=1"}

	for _, c := range []struct{ heading, packages, program string }{
		{"LangChain", "python:" + clientsFolder + "/clients", "langchain_client.py"},
		{"LiteLLM", "python:" + clientsFolder + "/clients", "litellm_client.py"},
		{"LiveKit", "python:" + clientsFolder + "/clients", "livekit_client.py"},
		{"Pipecat", "python:" + clientsFolder + "/clients", "pipecat_client.py"},
		{"instructor", "python:" + clientsFolder + "/instructor", "instructor_client.py"},
		{"Home Assistant", "python3.12:" + clientsFolder + "/wyoming", "wyoming_client.py"},
	} {
		t.Run(c.heading, func(t *testing.T) {
			packages := packagesOf(t, c.packages)
			example := exampleOf(t, base, "### "+c.heading, dir, c.program+".example")
			wantOK(t, output(t, env, filepath.Join(packages, "python3"), inProject(t, clientsFolder, c.program), example, base, recording))
		})
	}
	for _, c := range []struct{ name, heading, program string }{
		{"Node", "# OpenAI's API", "openai.mjs"},
		{"AI SDK", "### AI SDK", "ai-sdk.mjs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := packagesOf(t, "npm:"+clientsFolder+"/node")
			packages := path[strings.LastIndex(path, ":")+1:]
			node := "node"
			if nodejs, _, ok := strings.Cut(path, ":"); ok {
				node = filepath.Join(nodejs, "node")
			}
			// Node looks for packages beside the program.
			dir := t.TempDir()
			if err := os.Symlink(filepath.Dir(packages), filepath.Join(dir, "node_modules")); err != nil {
				t.Fatal(err)
			}
			program, err := os.ReadFile(inProject(t, clientsFolder, "node", c.program))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, c.program), program, 0o600); err != nil {
				t.Fatal(err)
			}
			if got := output(t, env, node, exampleOf(t, base, c.heading, dir, "example.mjs")); strings.TrimSpace(got) == "" {
				t.Error("the example prints nothing")
			}
			wantOK(t, output(t, env, node, filepath.Join(dir, c.program), base, recording))
		})
	}
	t.Run("Go", func(t *testing.T) {
		module := inProject(t, clientsFolder, "go")
		if out, err := exec.CommandContext(t.Context(), "go", "mod", "download", "-C", module).CombinedOutput(); err != nil {
			if bytes.Contains(out, []byte("SECURITY ERROR")) {
				t.Fatalf("%s", out)
			}
			t.Skipf("OpenAI's client for Go is not on this machine, and cannot be fetched: %s", out)
		}
		example := exampleOf(t, base, "### Go", dir, "example.go")
		if got := output(t, nil, "go", "run", "-C", module, example); strings.TrimSpace(got) == "" {
			t.Error("the example prints nothing")
		}
		wantOK(t, output(t, nil, "go", "run", "-C", module, ".", base, recording))
	})
}

// wantOK checks that the last line of a program's output is "ok".
func wantOK(t *testing.T, got string) {
	t.Helper()
	if got != "ok\n" && !strings.HasSuffix(got, "\nok\n") {
		t.Errorf("%q", got)
	}
}

// packagesOf installs packages, once, and returns their folders for PATH. The test is
// skipped if they are not there and no registry can be reached.
func packagesOf(t *testing.T, packages string) string {
	t.Helper()
	cmd := exec.CommandContext(within(t, patience), inProject(t, "scripts", "tools.sh"), packages)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == unreachable:
		t.Skipf("%s is not on this machine, and cannot be installed: %s", packages, stderr.String())
	case err != nil:
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	return strings.TrimSpace(stdout.String())
}

// exampleOf writes the first example below a heading of docs/openai.md to a file, with
// the base URL of the server; in its beginning, the one for Node.
func exampleOf(t *testing.T, base, heading, dir, name string) string {
	t.Helper()
	guide, err := os.ReadFile(inProject(t, "docs", "openai.md"))
	if err != nil {
		t.Fatal(err)
	}
	fence := "\n```"
	if strings.HasSuffix(name, ".mjs") {
		fence = "\n```js"
	}
	_, below, found := strings.Cut("\n"+string(guide), "\n"+heading+"\n")
	_, code, fenced := strings.Cut(below, fence)
	_, code, opened := strings.Cut(code, "\n")
	code, _, closed := strings.Cut(code, "\n```\n")
	const documented = "http://127.0.0.1:8001/openai/v1"
	if !found || !fenced || !opened || !closed || !strings.Contains(code, documented) {
		t.Fatalf("docs/openai.md has no example with %s below %q", documented, heading)
	}
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(code, documented, base)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
