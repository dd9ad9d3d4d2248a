package main

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/test/internal/calls"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == driveArgument || os.Args[1] == "thaw") { // see enterOwnMounts and freeze
		main()
		return
	}
	os.Exit(m.Run())
}

// inject runs the suite in a process of its own.
func inject(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command(self(), append([]string{driveArgument, "-bin", "../../bin"}, args...)...)
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if ownMounts() {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNS
	}
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
}

// Whatever fails below the gateway, it keeps what it promises.
func TestFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes minutes")
	}
	inject(t, "-faults", "100")
}

// A gateway that is killed at any time leaves nothing that the next one cannot use.
func TestKilledGateway(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	inject(t, "-gateway", "-faults", "30")
}

func TestScheduleDependsOnTheSeed(t *testing.T) {
	for _, all := range [][]*kind{kinds(), gatewayKinds()} {
		same := func(a, b planned) bool {
			return a.number == b.number && a.kind == b.kind && a.phase == b.phase && a.seed == b.seed
		}
		first := schedule(7, 300, all)
		if !slices.EqualFunc(first, schedule(7, 300, all), same) {
			t.Error("the same seed gave two schedules")
		}
		if slices.EqualFunc(first, schedule(8, 300, all), same) {
			t.Error("two seeds gave the same schedule")
		}
		if !slices.EqualFunc(first[:100], schedule(7, 100, all), same) {
			t.Error("a shorter run has other faults")
		}
		seen := map[[2]string]bool{}
		pairs := 0
		for _, k := range all {
			for _, ph := range phases {
				if k.in(ph) {
					pairs++
				}
			}
		}
		for _, p := range schedule(7, pairs, all) {
			seen[[2]string{p.kind.name, string(p.phase)}] = true
		}
		if len(seen) != pairs {
			t.Errorf("a round has %d pairs of kind and phase, want %d", len(seen), pairs)
		}
	}
}

// An RPC that the suite does not call would go untested beside faults.
func TestEveryRPCIsCalled(t *testing.T) {
	called := map[string]bool{
		"PushAudio":   true, // by OpenTranscription
		"UnloadModel": true, // before each fault
	}
	for _, c := range append(calls.Inferences(), calls.Questions()...) {
		called[c.Name[strings.LastIndexByte(c.Name, ' ')+1:]] = true
	}
	for _, file := range []protoreflect.FileDescriptor{gatewayv1.File_modelgateway_v1_service_proto, gatewayv1.File_modelgateway_v1_admin_proto} {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				if name := string(methods.Get(j).Name()); !called[name] {
					t.Errorf("no client calls %s", name)
				}
			}
		}
	}
}

func TestDelaysAddUp(t *testing.T) {
	at := func(ms int) time.Time { return time.Unix(0, 0).Add(time.Duration(ms) * time.Millisecond) }
	d := &delays{}
	for _, s := range []struct{ at, late int }{{10, 0}, {50, 30}, {60, 0}, {100, 30}} {
		d.add(at(s.at), time.Duration(s.late)*time.Millisecond)
	}
	for _, c := range []struct{ from, to, want int }{
		{10, 60, 30}, {0, 100, 60}, {60, 100, 30}, {100, 110, 0}, {100, 210, 100},
	} {
		if got := d.between(at(c.from), at(c.to)); got != time.Duration(c.want)*time.Millisecond {
			t.Errorf("between %d and %d ms: %v, want %d ms", c.from, c.to, got, c.want)
		}
	}
}

// The checks of the suite find answers without an end, with two, and without a type.
func TestLinesHaveOneEnd(t *testing.T) {
	const (
		piece  = `{"result":{"delta":"a"}}`
		last   = `{"result":{"delta":"","served_by":{"model":"m"}}}`
		failed = `{"error":{"message":"it crashed","details":[{"reason":"ENGINE_CRASHED","domain":"modelgateway"}]}}`
	)
	for name, c := range map[string]struct {
		lines []string
		want  string
	}{
		"complete":    {[]string{piece, last}, ""},
		"failed":      {[]string{piece, failed}, "ENGINE_CRASHED"},
		"no end":      {[]string{piece, piece}, calls.Malformed},
		"nothing":     {nil, calls.Malformed},
		"two ends":    {[]string{last, last}, calls.Malformed},
		"piece after": {[]string{failed, piece}, calls.Malformed},
		"untyped":     {[]string{piece, `{"error":{"message":"it crashed"}}`}, calls.Untyped},
		"cut off":     {[]string{piece, `{"resu`}, calls.Malformed},
		"of OpenAI":   {[]string{`{"error":{"message":"it crashed","type":"server_error","code":"engine_crashed"}}`}, "ENGINE_CRASHED"},
	} {
		var text bytes.Buffer
		for _, l := range c.lines {
			text.WriteString(l + "\n")
		}
		if got := calls.ReadLines(&text, calls.Ask{}); got.Reason != c.want {
			t.Errorf("%s: %v, want %q", name, got, c.want)
		}
	}
}
