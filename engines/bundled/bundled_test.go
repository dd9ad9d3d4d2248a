package bundled

import (
	"os"
	"path/filepath"
	"testing"

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

// TestEveryBundledEngineIsBuilt checks that the programs are those of folder cmd.
func TestEveryBundledEngineIsBuilt(t *testing.T) {
	for _, e := range Engines() {
		if _, err := os.Stat(filepath.Join("../../cmd", e.Program)); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
	}
}
