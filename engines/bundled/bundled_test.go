package bundled

import (
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/footprint"
)

func TestNameOf(t *testing.T) {
	for _, c := range []struct {
		command []string
		want    string
	}{
		{[]string{"engine-llama"}, Llama},
		{[]string{"/opt/modelgateway/engine-whisper", "--verbose"}, Whisper},
		{[]string{"numactl", "--cpunodebind=0", "engine-hubert"}, Hubert},
		{[]string{"python3", "/opt/engine-llama/main.py"}, ""},
		{[]string{"engine-llama2"}, ""},
		{[]string{"my-engine"}, ""},
		{nil, ""},
	} {
		if got := NameOf(c.command); got != c.want {
			t.Errorf("%v starts %q, want %q", c.command, got, c.want)
		}
	}
}

// TestEveryEngineHasAnEstimate checks that each formula gives an error with a reason
// for a missing file, as footprint.Generic does for other engines.
func TestEveryEngineHasAnEstimate(t *testing.T) {
	missing := footprint.Model{Path: filepath.Join(t.TempDir(), "none")}
	commands := [][]string{{"my-engine"}}
	for _, e := range Engines() {
		commands = append(commands, []string{e.Program})
	}
	for _, command := range commands {
		if _, err := EstimateMemory(command, missing); errs.ReasonOf(err) != errs.ModelFileMissing {
			t.Errorf("%v: %v", command, err)
		}
	}
}

// TestParametersAreChecked checks that each engine refuses an unknown parameter. Those of
// other engines are not known.
func TestParametersAreChecked(t *testing.T) {
	parameters, err := structpb.NewStruct(map[string]any{"no_such_parameter": 1})
	if err != nil {
		t.Fatal(err)
	}
	wrong := footprint.Model{Parameters: parameters}
	for _, e := range Engines() {
		if err := CheckParameters([]string{e.Program}, wrong); errs.ReasonOf(err) != errs.InvalidRequest {
			t.Errorf("%s: %v", e.Name, err)
		}
		if err := CheckParameters([]string{e.Program}, footprint.Model{}); err != nil {
			t.Errorf("%s refuses its defaults: %v", e.Name, err)
		}
	}
	if err := CheckParameters([]string{"my-engine"}, wrong); err != nil {
		t.Errorf("my-engine: %v", err)
	}
}

// TestEveryBundledEngineIsBuilt checks that the programs are those of folder cmd.
func TestEveryBundledEngineIsBuilt(t *testing.T) {
	for _, e := range Engines() {
		if _, err := os.Stat(filepath.Join("../../cmd", e.Program)); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
	}
}
