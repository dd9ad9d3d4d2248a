package main

import (
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"
)

// series are durations of the same kind.
type series []time.Duration

// quantile returns the duration that a part q of the series does not exceed.
func (s series) quantile(q float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func mib(bytes int64) string { return fmt.Sprintf("%d MiB", bytes>>20) }

var kindNames = []string{"status", "chat", "grammar", "synthesize", "transcribe", "live"}

// print writes the tables.
func (r *result) print(out io.Writer) {
	fmt.Fprintf(out, "\n%d processors. Processor time is that of the server / its workers / the hostile client.\n", runtime.NumCPU())
	fmt.Fprintln(out, "The honest client's times in ms: p50 / p99 (p99 when nobody attacks)")
	fmt.Fprintf(out, "%-4s %8s %8s %8s %8s %8s %18s %6s", "", "sent", "requests", "refused", "server+", "workers+", "cpu s", "s/MB")
	for _, k := range kindNames {
		fmt.Fprintf(out, " %20s", k)
	}
	fmt.Fprintln(out)
	r.printMeasured(out, "none", report{}, &r.none, "-")
	for _, k := range kindNames {
		t := r.alone[0][k]
		fmt.Fprintf(out, " %20s", fmt.Sprintf("%d / %d", t.quantile(0.5).Milliseconds(), t.quantile(0.99).Milliseconds()))
	}
	fmt.Fprintln(out)
	for i := range r.rounds {
		r.printRound(out, &r.rounds[i])
	}
	r.printRest(out)
}

func (r *result) printRound(out io.Writer, a *round) {
	name := a.name
	if strings.Contains(name, ",") {
		name = "all"
	}
	perMB := "-"
	if a.bodies {
		perMB = fmt.Sprintf("%.3f", r.perMB(a))
	}
	r.printMeasured(out, name, a.report, &a.measured, perMB)
	for _, k := range kindNames {
		t := a.times[k]
		fmt.Fprintf(out, " %20s", fmt.Sprintf("%d / %d (%d)", t.quantile(0.5).Milliseconds(), t.quantile(0.99).Milliseconds(), r.aloneAt(a, k).quantile(0.99).Milliseconds()))
	}
	fmt.Fprintln(out)
}

// printMeasured writes what an attack did, and what it cost the server.
func (r *result) printMeasured(out io.Writer, name string, did report, cost *measured, perMB string) {
	fmt.Fprintf(out, "%-4s %8s %8d %8d %8s %8s %18s %6s", name, mib(did.Sent), did.Requests, did.Refused, mib(cost.server), mib(cost.workers),
		fmt.Sprintf("%.1f / %.1f / %.1f", cost.cpu.Seconds(), cost.workersCPU.Seconds(), did.cpu.Seconds()), perMB)
}

// perMB returns the processor time of the server, less what it needs for the honest
// client, for each megabyte of an attack; in seconds.
func (r *result) perMB(a *round) float64 {
	own := max(0, a.measured.cpu.Seconds()-r.none.cpu.Seconds()*a.took.Seconds()/r.none.took.Seconds())
	return own / max(1, float64(a.Sent)/1e6)
}

func (r *result) printRest(out io.Writer) {
	fmt.Fprintln(out, "the lease is back after a disconnect (median / most):")
	for _, surface := range slices.Sorted(maps.Keys(r.leases)) {
		t := r.leases[surface]
		fmt.Fprintf(out, "  %-16s %d / %d ms of %d\n", surface, t.quantile(0.5).Milliseconds(), slices.Max(t).Milliseconds(), len(t))
	}
	fmt.Fprintf(out, "memory of the server: %s before, %s %.0f s after\n", mib(r.before), mib(r.left), r.leftAfter.Seconds())
	fmt.Fprintf(out, "calls that ended by a random deadline or cancel: %d; breakers that opened: %d\n", r.cancelled, len(r.open))
	fmt.Fprintf(out, "requests of the honest client that failed: %d\n", len(r.failed))
}

// broken returns what is wrong however fast the machine is.
func (r *result) broken() []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for i := range r.rounds {
		a := &r.rounds[i]
		if most := max(mostForNone, mostPerByte*a.Sent); a.server > most {
			say("%s: the server grew by %s for %s", a.name, mib(a.server), mib(a.Sent))
		}
		if a.server+a.workers-r.none.workers > mostGrowth {
			say("%s: the server grew by %s and its workers by %s, and by %s when nobody attacked", a.name, mib(a.server), mib(a.workers), mib(r.none.workers))
		}
		if a.Requests == 0 {
			say("%s: no request was made", a.name)
		}
		for _, w := range a.Wrong {
			say("%s: %s", a.name, w)
		}
	}
	for _, f := range r.failed {
		say("the honest client got an error: %s", f)
	}
	for _, m := range r.open {
		say("the breaker of %s opened", m)
	}
	for _, m := range r.restarted {
		say("%s was loaded again", m)
	}
	if r.memoryErr != nil {
		say("after %.0f s: %v", r.leftAfter.Seconds(), r.memoryErr)
	}
	if !r.ended {
		say("the server did not end with code 0 after SIGTERM")
	}
	return out
}

// late returns what is too slow.
func (r *result) late() []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for i := range r.rounds {
		a := &r.rounds[i]
		if a.bodies && r.perMB(a) > mostPerMB.Seconds() {
			say("%s: %.2f s of processor time for each megabyte", a.name, r.perMB(a))
		}
		for _, k := range kindNames {
			now, alone := a.times[k].quantile(0.99), r.aloneAt(a, k).quantile(0.99)
			if now > alone+mostLater && float64(now) > mostSlower*float64(alone) {
				say("%s: the p99 of %s is %v, and %v when nobody attacks", a.name, k, now.Round(time.Millisecond), alone.Round(time.Millisecond))
			}
		}
	}
	for surface, t := range r.leases {
		if slices.Max(t) > mostLease {
			say("%s: a lease came back %v after the disconnect", surface, slices.Max(t).Round(time.Millisecond))
		}
	}
	if r.leftAfter > mostLeftAfter {
		say("the memory was back after %.0f s", r.leftAfter.Seconds())
	}
	if r.cancelled < leastCancels {
		say("only %d calls ended by a random deadline or cancel: attack for longer", r.cancelled)
	}
	return out
}
