package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mistake is one that a check of deploy/ must find.
type mistake struct{ file, right, wrong, says string }

var mistakes = map[string]mistake{
	"no-such-file": {"kubernetes/base/kustomization.yaml", "- service.yaml", "- servce.yaml", "kubernetes/chat: kustomize: "},
	"deployment":   {"kubernetes/base/deployment.yaml", "minReadySeconds: 5", "minReadySecond: 5", "Deployment chat-gateway: "},
	"service":      {"kubernetes/base/service.yaml", "port: 8001", "port: http", "Service chat-gateway: "},
	"disruption":   {"kubernetes/base/disruption.yaml", "maxUnavailable: 1", "maxUnavailabel: 1", "PodDisruptionBudget chat-gateway: "},
	"selector":     {"kubernetes/chat/kustomization.yaml", "path: spec/selector/matchLabels", "path: spec/selector/matchExpression", "ServiceMonitor chat-gateway: "},
	"network":      {"kubernetes/base/network.yaml", "policyTypes: [Ingress, Egress]", "policyTypes: Ingress", "NetworkPolicy chat-gateway: "},
	"scaler":       {"kubernetes/base/scaling.yaml", "maxReplicaCount: 10", "maxReplicaCount: ten", "ScaledObject chat-gateway: "},
	"scaled-query": {"kubernetes/speech/scaling.yaml", "max(modelgateway", "max(modelgatewy", "the server has no metric modelgatewy"},
	"grpc-route":   {"kubernetes/base/routes.yaml", "sectionName: grpc", "section: grpc", "GRPCRoute chat-gateway: "},
	"http-route":   {"kubernetes/speech/routes.yaml", "type: PathPrefix", "type: Prefix", "HTTPRoute speech-gateway: "},
	"policy":       {"kubernetes/base/traffic.yaml", "type: ConsistentHash", "type: BoundedHash", "BackendTrafficPolicy chat-grpc-affinity: "},
	"backend":      {"kubernetes/base/routes.yaml", "{name: gateway, port: 8001}", "{name: gatewy, port: 8001}", "HTTPRoute chat-gateway: no Service gatewy"},
	"target":       {"kubernetes/base/traffic.yaml", "kind: GRPCRoute, name: affinity", "kind: GRPCRoute, name: afinity", "no GRPCRoute afinity"},
	"extension":    {"kubernetes/base/traffic.yaml", "- type: Inline", "- type: InLine", "EnvoyExtensionPolicy chat-endpoint: "},
	"monitor":      {"kubernetes/base/monitor.yaml", "interval: 10s", "interval: 10 s", "ServiceMonitor chat-gateway: "},
	"gateway":      {"kubernetes/gateway/gateway.yaml", "gatewayClassName: envoy", "gatewayClass: envoy", "Gateway modelgateway: "},
	"rule":         {"prometheus/rules.yaml", "(modelgateway_oldest_wait_seconds) > 10", "(modelgateway_oldest_wait_seconds > 10", "prometheus/rules.yaml: "},
	"rule-field":   {"prometheus/rules.yaml", "for: 2m", "during: 2m", "prometheus/rules.yaml: "},
	"rule-metric":  {"prometheus/rules.yaml", "modelgateway_fallbacks_total", "modelgateway_fallback_total", "the server has no metric modelgateway_fallback_total"},
	"dashboard":    {"grafana/dashboard.json", "sum by (code) (rate(", "sum by code (rate(", "grafana/dashboard.json: "},
}

// What deploy/ has for a cluster is right, and a mistake in each part is found.
func TestManifests(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles for a minute when it runs for the first time")
	}
	t.Parallel()
	tool := filepath.Join(t.TempDir(), "manifests")
	build := exec.Command("go", "build", "-C", "manifests", "-o", tool, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath")
	if out, err := build.CombinedOutput(); err != nil {
		if strings.Contains(string(out), "dial tcp") {
			t.Skipf("the Go modules of the check cannot be fetched: %s", out)
		}
		t.Fatalf("%v: %s", err, out)
	}
	dirs := []string{"-metrics", filepath.Join(repository, "docs", "operations.md"), deployed()}
	wrong := t.TempDir()
	for name, m := range mistakes {
		dir := filepath.Join(wrong, name)
		if err := os.CopyFS(dir, os.DirFS(deployed())); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, m.file))
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(text), m.right, m.wrong, 1)
		if changed == string(text) {
			t.Errorf("%s does not have %q", m.file, m.right)
		}
		if err := os.WriteFile(filepath.Join(dir, m.file), []byte(changed), 0o600); err != nil { //nolint:gosec // a test's file
			t.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	check := exec.Command(tool, dirs...)
	var failed strings.Builder
	check.Stderr = &failed
	out, _ := check.Output() // it has problems, so it fails
	if code := check.ProcessState.ExitCode(); code != 1 {
		t.Fatalf("the check ended with code %d, want 1: %s", code, failed.String())
	}
	found := map[string]string{}
	for line := range strings.Lines(string(out)) {
		dir, _, _ := strings.Cut(line, ": ")
		found[dir] += line
	}
	if found["deploy"] != "" {
		t.Errorf("deploy/ is wrong:\n%s", found["deploy"])
	}
	for name, m := range mistakes {
		if !strings.Contains(found[name], m.says) {
			t.Errorf("%s: %q instead of %q in %s was not found; got:\n%s", name, m.wrong, m.right, m.file, found[name])
		}
	}
}

// The servers of the profiles accept their configuration.
func TestProfileConfigurations(t *testing.T) {
	program, err := filepath.Abs("../../bin/modelgateway")
	if err != nil {
		t.Fatal(err)
	}
	for _, profile := range []string{"chat", "speech"} {
		check := func(file string) string {
			cmd := exec.Command(program, "doctor", "--config", file) //nolint:gosec // the built program
			cmd.Env = append(os.Environ(), "MODELGATEWAY_STATE_DIR="+t.TempDir())
			out, _ := cmd.CombinedOutput() // there are no models and no keys
			return string(out)
		}
		file := deployed("kubernetes", profile, "gateway.yaml")
		if out := check(file); !strings.Contains(out, "OK   configuration") {
			t.Errorf("%s: %s", file, out)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		wrong := filepath.Join(t.TempDir(), "gateway.yaml")
		if err := os.WriteFile(wrong, []byte(strings.Replace(string(text), "drain_delay", "drain_dely", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := check(wrong); !strings.Contains(out, "drain_dely") {
			t.Errorf("%s: a mistake was not found: %s", file, out)
		}
	}
}
