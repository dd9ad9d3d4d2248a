package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/bench/internal/benchkit"
)

var update = flag.Bool("update", false, "draw the charts of bench/results again")

const results = "../../results"

// TestResultsAreDrawn compares the charts of bench/results with their figures, so
// that neither is changed alone.
func TestResultsAreDrawn(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(results, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("bench/results has %d results: %v", len(files), err)
	}
	for _, file := range files {
		r, err := Read(file)
		if err != nil {
			t.Fatal(err)
		}
		drawn, err := r.Chart()
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(file, ".json") + ".svg"
		if *update {
			if err := os.WriteFile(name, drawn, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if kept, err := os.ReadFile(name); err != nil || !bytes.Equal(kept, drawn) {
			t.Errorf("%s is not the chart of %s (%v): run go test ./bench/internal/report -update", name, file, err)
		}
		if r.Command == "" || r.Machine == "" || len(r.Load1) != 2 || len(r.Versions) == 0 {
			t.Errorf("%s does not say how it was measured", file)
		}
		if data, _ := os.ReadFile(file); bytes.Contains(data, []byte("/home/")) || bytes.Contains(data, []byte("/root/")) {
			t.Errorf("%s has a path of the machine", file)
		}
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("MG_BENCH_RESULTS", dir)
	r := &Report{Name: "example", Title: "A & B", Command: "make bench ARGS=example", Load1: []float64{0.5}}
	unit := Unit{Name: "ms", Better: Lower}
	r.Compare("one <two>", unit, "peer", benchkit.Series{10, 30, 20}, benchkit.Series{20, 20, 40})
	r.Measure("alone", Unit{Name: "MB"}, benchkit.Series{1234.5})
	if err := r.Write(); err != nil {
		t.Fatal(err)
	}
	got, err := Read(filepath.Join(dir, "example.json"))
	if err != nil {
		t.Fatal(err)
	}
	first := got.Results[0]
	if first.Server.String() != "20 (10–30)" || first.Other.String() != "20 (20–40)" || first.Ratio.String() != "0.5 (0.5–1.5)" || first.Unit != unit {
		t.Errorf("read %+v, ratio %v", first, first.Ratio)
	}
	if alone := got.Results[1]; alone.Other != nil || alone.Ratio != nil || alone.Server.Median != 1234 && alone.Server.Median != 1235 {
		t.Errorf("read %+v", alone)
	}
	chart, err := os.ReadFile(filepath.Join(dir, "example.svg"))
	if err != nil {
		t.Fatal(err)
	}
	decoder := xml.NewDecoder(bytes.NewReader(chart))
	bars := map[string]string{} // class → width of the first one
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the chart is not XML: %v", err)
		}
		element, ok := token.(xml.StartElement)
		if !ok || element.Name.Local != "rect" {
			continue
		}
		attributes := map[string]string{}
		for _, a := range element.Attr {
			attributes[a.Name.Local] = a.Value
		}
		if class := attributes["class"]; bars[class] == "" {
			bars[class] = attributes["width"]
		}
	}
	// The highest round, 40, is as wide as a bar can be.
	if bars["server"] != "200.0" || bars["peer"] != "200.0" {
		t.Errorf("bars of %v", bars)
	}
}

// TestNothingIsKept checks that a run without a folder, such as one with -quick, writes
// no results.
func TestNothingIsKept(t *testing.T) {
	t.Setenv("MG_BENCH_RESULTS", "")
	t.Chdir(t.TempDir())
	if err := (&Report{Name: "example"}).Write(); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir("."); err != nil || len(entries) > 0 {
		t.Errorf("wrote %v, %v", entries, err)
	}
}
