package ggml

import (
	"os"
	"slices"
	"testing"

	"github.com/lexilingo/modelgateway/engines/errs"
)

func TestLoadBackends(t *testing.T) {
	named := os.Getenv(BackendsVariable)
	t.Setenv(BackendsVariable, t.TempDir())
	if err := LoadBackends(); errs.ReasonOf(err) != errs.EngineUnavailable {
		t.Errorf("an empty folder: %v", err)
	}
	t.Setenv(BackendsVariable, named)
	if err := LoadBackends(); err != nil {
		t.Fatal(err)
	}
	devices := Devices()
	if devices[0] != DeviceCPU {
		t.Errorf("devices %v", devices)
	}
	for _, device := range append(slices.Clone(devices), DeviceAuto, "") {
		if err := CheckDevice(device); err != nil {
			t.Errorf("device %q: %v", device, err)
		}
	}
	if err := CheckDevice("abacus"); errs.ReasonOf(err) != errs.EngineUnavailable {
		t.Errorf("an unavailable device: %v", err)
	}
}
