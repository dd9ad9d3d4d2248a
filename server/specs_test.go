package server

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/bundled"
	"github.com/lexilingo/modelgateway/engines/footprint"
	llama "github.com/lexilingo/modelgateway/engines/llama/settings"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// TestEstimateDependsOnTheProgramNotOnTheName estimates a model of engines with
// many names. The program that an engine's command starts chooses the formula, so
// an engine that has another name in the configuration keeps it, and an engine of
// the user's own gets the generic estimate even under the name of a bundled one.
func TestEstimateDependsOnTheProgramNotOnTheName(t *testing.T) {
	model, err := filepath.Abs("../models/starter/chat.gguf")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"engine-llama", "own-engine"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
	}
	parameters, err := structpb.NewStruct(map[string]any{"n_ctx": 1024})
	if err != nil {
		t.Fatal(err)
	}
	source := footprint.Model{Path: model, Parameters: parameters, MaxConcurrency: 1}
	own, err := llama.EstimateMemory(source)
	if err != nil {
		t.Fatal(err)
	}
	generic, err := footprint.Generic(source)
	if err != nil || own == generic {
		t.Fatalf("the formulas give %d and %d, %v", own, generic, err)
	}
	for name, c := range map[string]struct {
		engine, command string
		want            int64
	}{
		"the built-in configuration":  {"llama", "[engine-llama]", own},
		"another name":                {"my-llama", "[engine-llama]", own},
		"another name and a path":     {"my-llama", "[" + filepath.Join(dir, "engine-llama") + "]", own},
		"started by another program":  {"my-llama", "[nice, -n, '5', engine-llama]", own},
		"an engine of the user's own": {"mine", "[own-engine]", generic},
		"the name of a bundled one":   {"llama", "[own-engine]", generic},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config.yaml")
			yaml := fmt.Sprintf("state_dir: %s\nengines_dir: %s\nengines:\n  %s: {command: %s}\n"+
				"models:\n  m: {engine: %s, path: %s, parameters: {n_ctx: 1024}, max_concurrency: 1}\ntasks: {chat: {primary: m}}\n",
				t.TempDir(), dir, c.engine, c.command, c.engine, model)
			if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg, err := config.Load(config.Source{File: file})
			if err != nil {
				t.Fatal(err)
			}
			spec, err := modelSpec(cfg, "m")
			if err != nil {
				t.Fatal(err)
			}
			if got, err := spec.Estimate(); got != c.want || err != nil {
				t.Errorf("got %d, %v; want %d", got, err, c.want)
			}
		})
	}
}

// TestBundledEnginesAreThoseOfTheBuiltInConfiguration compares the names and
// programs of package bundled with the engines that are configured by default.
func TestBundledEnginesAreThoseOfTheBuiltInConfiguration(t *testing.T) {
	cfg, err := config.Load(config.Source{Environ: []string{"HOME=" + t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	programs := 0
	for name, engine := range cfg.Engines {
		if cfg.InProcess(name) {
			continue
		}
		programs++
		if found, ok := bundled.Of(engine.Command); !ok || found.Name != name {
			t.Errorf("the command %v of %q starts the bundled engine %q", engine.Command, name, found.Name)
		}
	}
	if programs != len(bundled.Engines()) {
		t.Errorf("%d programs are configured and %d are bundled", programs, len(bundled.Engines()))
	}
}
