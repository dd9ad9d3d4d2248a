package main

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lexilingo/modelgateway/internal/traffic"
)

// kind is what the requests of a study are like.
type kind struct {
	name string
	talk float64
}

var (
	single        = kind{"single requests", 0}
	conversations = kind{"conversations", 1}
)

const (
	// service is the mean time of work of a request, places how many a replica serves at
	// once.
	service = time.Second
	places  = 4
	// A conversation has so many turns, and each replica so many conversations at a time.
	turns  = 5
	living = 25
	// searches is how many loads are tried to find a throughput.
	searches = 7
)

// study is a simulated fleet under load.
type study struct {
	settings
	kind kind
	// requests is how many each run has after the warm-up.
	requests int
}

// typical returns the settings of a fleet.
func typical(replicas, proxies int, p policy) settings {
	return settings{
		seed: 1, replicas: replicas, proxies: proxies, policy: p,
		places: places, queue: 256, read: service / 2, kept: 64, overhead: 2 * time.Millisecond, streams: 0.5,
		drainDelay: 5 * time.Second, drainTimeout: time.Minute, start: 10 * time.Second,
	}
}

// gap is the time between two requests of a conversation, at a rate for each replica.
func gap(rate float64) time.Duration { return time.Duration(living / rate * float64(time.Second)) }

// warmup is how long a fleet runs before its requests count: the conversations that began
// before have ended, and replicas have prompts.
func warmup(rate float64) time.Duration { return turns * gap(rate) }

// load makes the requests of a rate for each replica. At another rate they are the same,
// only faster or slower, so that what differs is due to the rate.
func (s study) load(rate float64) []traffic.Request {
	all := rate * float64(s.replicas)
	length := warmup(rate) + time.Duration(float64(s.requests)/all*float64(time.Second))
	return traffic.Generate(s.seed, traffic.Shape{Rate: all, Service: service, Talk: s.kind.talk, Turns: turns, Gap: gap(rate)}, length)
}

// at returns how a fleet does at a rate for each replica.
func (s study) at(rate float64) traffic.Summary {
	return newFleet(s.settings).serve(s.load(rate)).Summary(warmup(rate))
}

// throughput returns the most requests each second for each replica with which the 95th
// percentile of the wait is at most some time, of the rates that it tries. It begins with
// a guess.
func (s study) throughput(wait time.Duration, guess float64) float64 {
	most := 0.999 * places / service.Seconds()
	// holds is the greatest rate that is known to hold, and fails the least that does not;
	// the excess of one is negative, that of the other positive.
	var holds, fails, excessHolds, excessFails float64
	rate := guess
	for tried := 0; tried < searches || holds == 0; tried++ {
		excess := math.Log(max(time.Millisecond, s.at(rate).Wait95).Seconds() / wait.Seconds())
		if excess <= 0 {
			holds, excessHolds = rate, excess
		} else {
			fails, excessFails = rate, excess
		}
		switch {
		case fails == 0:
			rate = min(most, 1.25*holds)
		case holds == 0:
			rate = 0.85 * fails
		case fails < 1.01*holds:
			return holds
		default: // the excess is about linear; a little less more often holds
			part := excessHolds/(excessHolds-excessFails) - 0.05
			rate = holds + (fails-holds)*max(0.1, min(0.9, part))
		}
	}
	return holds
}

// compare prints how much of the throughput of as many single replicas a fleet has, for
// some policies and numbers of proxies.
func compare(out io.Writer, k kind, replicas, requests int, wait time.Duration, policies []policy, proxies []int) {
	one := study{typical(1, 1, policy{choices: 1, size: 1}), k, 3 * requests}.throughput(wait, 0.65*places/service.Seconds())
	_, _ = fmt.Fprintf(out, "\n%s: alone, a replica serves %.2f each second if 95 %% wait at most %v.\n\n", k.name, one, wait)
	_, _ = fmt.Fprintln(out, "| policy | proxies | throughput of a replica / alone | p95 of the wait at 0.98 | prompt kept | most / mean |")
	_, _ = fmt.Fprintln(out, "| --- | --- | --- | --- | --- | --- |")
	rows(out, len(policies)*len(proxies), func(i int) string {
		p, n := policies[i/len(proxies)], proxies[i%len(proxies)]
		s := study{typical(replicas, n, p), k, requests}
		ratio := s.throughput(wait, one) / one
		got := s.at(0.98 * one)
		return fmt.Sprintf("| %s | %d | %.2f | %v | %s | %.2f |\n", p, n, ratio, got.Wait95.Round(10*time.Millisecond), hits(k, got), skew(got, replicas))
	})
}

// rows prints the rows of a table in their order; they are made on all cores.
func rows(out io.Writer, count int, row func(int) string) {
	done := make([]chan string, count)
	var next atomic.Int64
	for i := range done {
		done[i] = make(chan string, 1)
	}
	for range runtime.GOMAXPROCS(0) {
		go func() {
			for i := int(next.Add(1)) - 1; i < count; i = int(next.Add(1)) - 1 {
				done[i] <- row(i)
			}
		}()
	}
	for _, d := range done {
		_, _ = fmt.Fprint(out, <-d)
	}
}

func hits(k kind, s traffic.Summary) string {
	if k.talk == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100*s.Share(s.Kept))
}

// skew is how many requests the busiest replica served, relative to the mean.
func skew(s traffic.Summary, replicas int) float64 {
	most, all := 0, 0
	for _, n := range s.Served {
		most, all = max(most, n), all+n
	}
	return float64(most) * float64(replicas) / float64(max(1, all))
}

// String implements fmt.Stringer.
func (p policy) String() string {
	parts := []string{fmt.Sprintf("%d choices", p.choices)}
	if p.size > 0 {
		parts = []string{fmt.Sprintf("ring of %d", p.size)}
		if p.maglev {
			parts = []string{fmt.Sprintf("Maglev, %d", p.size)}
		}
		if p.bound > 0 {
			parts = append(parts, fmt.Sprintf("bound %d %%", p.bound))
		}
	}
	return strings.Join(slices.Clip(parts), ", ")
}

// deployed is the policy of deploy/envoy/envoy.yaml.
var deployed = policy{choices: 2, size: 65537, maglev: true, bound: 200}

// The policies that are compared. At random, a fleet does as much as its replicas alone.
var (
	singlePolicies       = []policy{{choices: 1}, {choices: 2}, {choices: 5}}
	conversationPolicies = []policy{
		{choices: 2, size: 4096},
		{choices: 2, size: 4096, bound: 200},
		{choices: 2, size: 65537, maglev: true},
		{choices: 2, size: 65537, maglev: true, bound: 200},
		{choices: 2, size: 65537, maglev: true, bound: 300},
	}
)
