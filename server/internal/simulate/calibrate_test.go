package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/internal/traffic"
)

// What a fleet did is within the tolerance of its simulation, and what a slower one did is
// not.
func TestCalibrate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "measured.json")
	for _, c := range []struct {
		name   string
		slower time.Duration
		differ bool
	}{{"as simulated", 0, false}, {"slower", 200 * time.Millisecond, true}} {
		s := typical(3, 1, deployed)
		s.seed, s.read = 99, 0
		run := newFleet(s).serve(traffic.Generate(1, traffic.Shape{Rate: 4, Service: time.Second, Talk: 0.5, Turns: 5, Gap: 3 * time.Second}, 2*time.Minute))
		for i := range run.Results {
			run.Results[i].Took += c.slower
		}
		text, err := json.Marshal([]*traffic.Run{run})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := calibrate(&out, file); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "**") != c.differ {
			t.Errorf("%s:\n%s", c.name, out.String())
		}
	}
	if err := os.WriteFile(file, []byte("no JSON"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := calibrate(&strings.Builder{}, file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file that is none: %v", err)
	}
}

func TestArguments(t *testing.T) {
	for _, err := range []error{run("", 200, 100, time.Second, "1,x"), run("", 200, 100, time.Second, "0"), run("", 0, 100, time.Second, "1"), run("nothing.json", 1, 1, 1, "1")} {
		if err == nil {
			t.Error("arguments that are wrong were accepted")
		}
	}
}
