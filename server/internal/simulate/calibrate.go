package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"time"

	"github.com/lexilingo/modelgateway/internal/traffic"
)

// tolerance is how much a simulation may differ from what was measured.
const tolerance = 0.1

// calibrations is how many simulations of a measured load there are; each proxy has other
// random numbers.
const calibrations = 21

// calibrate prints what real servers did, measured by test/scale, and what simulated ones
// do with the same requests.
func calibrate(out io.Writer, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var runs []*traffic.Run
	if err := json.Unmarshal(text, &runs); err != nil {
		return fmt.Errorf("%s is not a file that test/scale -measure has written: %w", file, err)
	}
	_, _ = fmt.Fprintln(out, "\n| load | | measured | simulated, median (least–most) | difference |")
	_, _ = fmt.Fprintln(out, "| --- | --- | --- | --- | --- |")
	for _, r := range runs {
		compareRuns(out, r)
	}
	return nil
}

// figure is one number of a summary.
type figure struct {
	name   string
	format string
	of     func(traffic.Summary) float64
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

var figures = []figure{
	{"answers a second", "%.1f", func(s traffic.Summary) float64 { return s.Throughput }},
	{"p50, ms", "%.0f", func(s traffic.Summary) float64 { return millis(s.Took50) }},
	{"p95, ms", "%.0f", func(s traffic.Summary) float64 { return millis(s.Took95) }},
	{"p95 of the wait, ms", "%.0f", func(s traffic.Summary) float64 { return millis(s.Wait95) }},
	{"same server, %", "%.1f", func(s traffic.Summary) float64 { return 100 * s.Share(s.Returned) }},
}

// compareRuns prints a measured load beside simulations of it.
func compareRuns(out io.Writer, measured *traffic.Run) {
	real := measured.Summary(0)
	var simulated []traffic.Summary
	for seed := range calibrations {
		s := typical(3, 1, deployed)
		s.seed, s.read, s.overhead = uint64(seed+1), 0, measured.Overhead
		simulated = append(simulated, newFleet(s).serve(measured.Requests).Summary(0))
	}
	for i, f := range figures {
		var all []float64
		for _, s := range simulated {
			all = append(all, f.of(s))
		}
		slices.Sort(all)
		want, got := f.of(real), all[len(all)/2]
		name := ""
		if i == 0 {
			name = fmt.Sprintf("%s: %d requests, %d failed", measured.Name, real.Requests, real.Failed)
		}
		_, _ = fmt.Fprintf(out, "| %s | %s | "+f.format+" | "+f.format+" ("+f.format+"–"+f.format+") | %s |\n",
			name, f.name, want, got, all[0], all[len(all)-1], difference(want, got, all[0], all[len(all)-1]))
	}
}

// difference is how much a simulated figure differs from a measured one. It is marked if
// that is more than the tolerance, and more than simulations differ from each other.
func difference(want, got, least, most float64) string {
	if want < 1 && got < 1 { // of both, nothing to speak of
		return "–"
	}
	d := got/want - 1
	if math.Abs(d) > tolerance && (want < least || want > most) {
		return fmt.Sprintf("**%+.0f %%**", 100*d)
	}
	return fmt.Sprintf("%+.1f %%", 100*d)
}
