// Package report prints the results of a benchmark, and keeps them as JSON and as a
// chart: with the machine, the versions and the command that repeats them.
package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/lexilingo/modelgateway/bench/internal/benchkit"
)

// Report has the results of a run of a benchmark.
type Report struct {
	Name    string    `json:"name"`
	Title   string    `json:"title"`
	Command string    `json:"command"`
	Started time.Time `json:"started"`
	Machine string    `json:"machine"`
	// Load1 is the load of the machine in the last minute, before and after the run.
	Load1 []float64 `json:"load_1m"`
	// Versions are those of the programs, each "name version".
	Versions []string `json:"versions"`
	// Settings are files, threads, rounds and the like.
	Settings []string `json:"settings"`
	// Side is what charts call the figures of the server; empty: ModelGateway.
	Side    string   `json:"side,omitempty"`
	Results []Result `json:"results"`
}

// Result is what was measured in one unit, of the server and perhaps of a peer.
type Result struct {
	What string `json:"what"`
	Unit
	Server Figures `json:"server"`
	// Peer is the name of the other side.
	Peer  string   `json:"peer,omitempty"`
	Other *Figures `json:"other,omitempty"`
	// Ratio is that of the server to the peer in rounds next to each other.
	Ratio *Figures `json:"ratio,omitempty"`
}

// Unit is the unit of a result.
type Unit struct {
	Name   string `json:"unit"`
	Better Better `json:"better,omitempty"`
}

// Better says which of two results is better.
type Better string

// Lower and Higher are the kinds of Better.
const (
	Lower  Better = "lower"
	Higher Better = "higher"
)

// Figures summarise the rounds of a side.
type Figures struct {
	Median float64   `json:"median"`
	Low    float64   `json:"low"`
	High   float64   `json:"high"`
	Rounds []float64 `json:"rounds"`
}

// figures rounds to four digits, as the printed results are.
func figures(s benchkit.Series) Figures {
	low, high := s.Spread()
	f := Figures{Median: four(s.Median()), Low: four(low), High: four(high)}
	for _, v := range s {
		f.Rounds = append(f.Rounds, four(v))
	}
	return f
}

func four(v float64) float64 {
	v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64)
	return v
}

// directory returns the folder that reports are written to; empty: none. `make bench`
// sets it.
func directory() string { return os.Getenv("MG_BENCH_RESULTS") }

// New begins the report of a benchmark of the server program and prints the machine.
func New(name, title, server string) *Report {
	r := &Report{
		Name: name, Title: title, Command: os.Getenv("MG_BENCH_COMMAND"), Started: time.Now().UTC().Truncate(time.Second),
		Machine: benchkit.Machine(), Load1: []float64{benchkit.Load1()},
	}
	fmt.Printf("%s · load %.1f\n", r.Machine, r.Load1[0])
	r.Program(server, "version")
	r.Versions = append(r.Versions, "Go "+strings.TrimPrefix(runtime.Version(), "go"))
	return r
}

var versionOf = regexp.MustCompile(`(?m)^(?:modelgateway|version:|whisper\.cpp version:) (\S+)`)

// Program adds the version of a program, which it prints if it is started with arg.
func (r *Report) Program(path, arg string) {
	name := filepath.Base(path)
	printed, _ := exec.Command(path, arg).CombinedOutput() // a program that cannot run fails the benchmark later
	version := "of unknown version"
	if m := versionOf.FindSubmatch(printed); m != nil {
		version = string(m[1])
	}
	r.Versions = append(r.Versions, name+" "+version)
}

// Version adds versions that a peer told.
func (r *Report) Version(text string) { r.Versions = append(r.Versions, text) }

// Setting prints and adds a setting. It must not have the path of a folder.
func (r *Report) Setting(format string, args ...any) {
	setting := fmt.Sprintf(format, args...)
	fmt.Println(setting)
	r.Settings = append(r.Settings, setting)
}

// Measure prints and adds a result without a peer.
func (r *Report) Measure(what string, unit Unit, ours benchkit.Series) {
	fmt.Printf("%-44s %s\n", what+", "+unit.Name, ours.Format())
	r.Results = append(r.Results, Result{What: what, Unit: unit, Server: figures(ours)})
}

// Compare prints and adds a result of both sides.
func (r *Report) Compare(what string, unit Unit, peer string, ours, theirs benchkit.Series) {
	ratios := benchkit.Ratios(ours, theirs)
	fmt.Printf("%-44s server %-24s %s %-24s ratio %s\n", what+", "+unit.Name, ours.Format(), peer, theirs.Format(), ratios.Format())
	other, ratio := figures(theirs), figures(ratios)
	r.Results = append(r.Results, Result{What: what, Unit: unit, Server: figures(ours), Peer: peer, Other: &other, Ratio: &ratio})
}

// Write ends the report. It writes NAME.json and NAME.svg, if reports are kept.
func (r *Report) Write() error {
	r.Load1 = append(r.Load1, benchkit.Load1())
	dir := directory()
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var data bytes.Buffer
	out := json.NewEncoder(&data)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	if err := out.Encode(r); err != nil {
		return fmt.Errorf("cannot keep the results: %w", err)
	}
	chart, err := r.Chart()
	if err != nil {
		return err
	}
	file := filepath.Join(dir, r.Name)
	if err := renameio.WriteFile(file+".json", data.Bytes(), 0o644); err != nil {
		return err
	}
	return renameio.WriteFile(file+".svg", chart, 0o644)
}

// Read reads the JSON of a report.
func Read(file string) (*Report, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := new(Report)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}
