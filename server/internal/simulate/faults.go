package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lexilingo/modelgateway/internal/traffic"
)

// rollout restarts all replicas, some at a time.
func (f *fleet) rollout(at time.Duration, width int) {
	f.after(at-f.now, func() { f.restartAll(f.replicas, width) })
}

// restartAll restarts replicas, some at a time. The next one is restarted when every
// proxy uses the one before it again.
func (f *fleet) restartAll(those []*replica, width int) {
	next := 0
	var restart func()
	restart = func() {
		if next == len(those) {
			return
		}
		r := those[next]
		next++
		r.terminate()
		f.await(func() bool { return r.state == serving && f.allUse(r) }, restart)
	}
	for range width {
		restart()
	}
}

// await does something once a condition holds.
func (f *fleet) await(holds func() bool, then func()) {
	f.after(checkInterval/10, func() {
		if holds() {
			then()
			return
		}
		f.await(holds, then)
	})
}

// allUse reports whether every proxy sends requests to a replica.
func (f *fleet) allUse(r *replica) bool {
	return !slices.ContainsFunc(f.proxies, func(p *proxy) bool { return !p.hosts[r.index].usable() })
}

// lose does something to the machines of the first replicas.
func (f *fleet) lose(at time.Duration, count int, how func(*replica)) {
	f.after(at-f.now, func() {
		for _, r := range f.replicas[:count] {
			how(r)
		}
	})
}

// fault is what happens to a fleet under load.
type fault struct {
	name string
	do   func(*fleet)
}

// faults prints what becomes of the requests of a fleet at a load if replicas are
// restarted or lost.
func faults(out io.Writer, replicas int, load float64, p policy, proxies []int) {
	some, rate := max(1, replicas/20), load*places/service.Seconds()
	begin := warmup(rate)
	all := []fault{
		{"none", func(*fleet) {}},
		{fmt.Sprintf("all are restarted, %d at a time", some), func(f *fleet) { f.rollout(begin, some) }},
		{fmt.Sprintf("%d processes are killed", some), func(f *fleet) { f.lose(begin+time.Minute, some, (*replica).kill) }},
		{fmt.Sprintf("%d machines leave the network", some), func(f *fleet) { f.lose(begin+time.Minute, some, (*replica).unplug) }},
	}
	_, _ = fmt.Fprintf(out, "\n%s, %.0f %% load, half of the requests in conversations, half of them streams:\n\n", p, 100*load)
	_, _ = fmt.Fprintln(out, "| what happens | proxies | requests | restarts | failed | streams that broke off | longest wait | p95 of the wait | prompt kept |")
	_, _ = fmt.Fprintln(out, "| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	rows(out, len(all)*len(proxies), func(i int) string {
		what, n := all[i/len(proxies)], proxies[i%len(proxies)]
		length := 2 * time.Minute
		if i/len(proxies) == 1 { // the restarts take longer
			length = time.Duration((replicas+some-1)/some) * 20 * time.Second
		}
		s := study{typical(replicas, n, p), kind{"both", 0.5}, int(length.Seconds() * rate * float64(replicas))}
		f := newFleet(s.settings)
		run := f.serve(s.load(rate), func() { what.do(f) })
		sum, kinds := run.Summary(begin), failures(run)
		broken := kinds[serverIsLost]
		delete(kinds, serverIsLost)
		return fmt.Sprintf("| %s | %d | %d | %d | %s | %d | %v | %v | %.1f %% |\n", what.name, n, sum.Requests, f.restarts,
			describe(kinds), broken, longest(run).Round(100*time.Millisecond), sum.Wait95.Round(10*time.Millisecond), 100*sum.Share(sum.Kept))
	})
}

// failures counts the requests that failed, by the reason.
func failures(run *traffic.Run) map[string]int {
	kinds := map[string]int{}
	for _, r := range run.Results {
		if r.Failed != "" {
			kinds[r.Failed]++
		}
	}
	return kinds
}

func describe(kinds map[string]int) string {
	if len(kinds) == 0 {
		return "0"
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		parts = append(parts, fmt.Sprintf("%d %s", kinds[k], k))
	}
	return strings.Join(parts, ", ")
}

// longest returns the longest wait of a request that was served.
func longest(run *traffic.Run) time.Duration {
	most := time.Duration(0)
	for _, r := range run.Results {
		if r.Failed == "" {
			most = max(most, r.Wait)
		}
	}
	return most
}
