package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/test/internal/calls"
)

type options struct {
	program, engine, llama string // paths
	seed                   uint64
	faults                 int
	lanes                  int
	gateway                bool   // only faults of the gateway itself
	only                   string // some kinds, separated by commas; empty: all
	verbose                bool   // print each fault
}

// suite is a run.
type suite struct {
	options
	dir    string
	began  time.Time
	delays *delays
	lanes  []*lane
	left   []string // out: kinds that this machine cannot have, and why
}

// run injects the faults that a seed schedules and prints what it found. It returns
// how many violations there were.
func run(ctx context.Context, o options, out io.Writer) (int, error) {
	dir, err := os.MkdirTemp("", "faults-")
	if err != nil {
		return 0, err
	}
	s := &suite{options: o, dir: dir, began: time.Now(), delays: &delays{}}
	stop := make(chan struct{})
	defer close(stop)
	go s.delays.measure(stop)
	defer func() {
		for _, l := range s.lanes {
			l.disk.unmount()
		}
		_ = os.RemoveAll(dir)
	}()
	for i := range o.lanes {
		l, err := newLane(s, fmt.Sprintf("l%d", i))
		if l != nil {
			s.lanes = append(s.lanes, l)
		}
		if err != nil {
			return 0, err
		}
	}
	plan := schedule(o.seed, o.faults, s.possible())
	if len(plan) == 0 {
		return 0, fmt.Errorf("no kind of fault is left of %q: the kinds are in docs/faults.md", o.only)
	}
	failed := s.play(ctx, plan)
	return s.report(out, time.Since(s.began)), failed
}

// possible returns the kinds of faults that this machine can have.
func (s *suite) possible() []*kind {
	all := kinds()
	if s.gateway {
		all = gatewayKinds()
	}
	return slices.DeleteFunc(all, func(k *kind) bool {
		if s.only != "" && !slices.Contains(strings.Split(s.only, ","), k.name) {
			return true
		}
		if k.impossible == nil {
			return false
		}
		why := k.impossible(s.lanes[0])
		if why != "" {
			s.left = append(s.left, fmt.Sprintf("%s: %s", k.name, why))
		}
		return why != ""
	})
}

// play lets the lanes have their faults: each takes the next when it is done.
func (s *suite) play(ctx context.Context, plan []planned) error {
	var lanes sync.WaitGroup
	failures := make([]error, len(s.lanes))
	var next atomic.Int64
	for i, l := range s.lanes {
		lanes.Go(func() {
			watched, unwatch := context.WithCancel(ctx)
			var watchers sync.WaitGroup
			watchers.Go(func() { l.observe(watched) })
			watchers.Go(func() { l.besides(watched) })
			for n := next.Add(1); int(n) <= len(plan) && ctx.Err() == nil && failures[i] == nil; n = next.Add(1) {
				failures[i] = l.run(plan[n-1])
			}
			unwatch()
			watchers.Wait()
			if failures[i] != nil {
				g := l.gateway.Load()
				failures[i] = fmt.Errorf("%w\n%s\nlog of the gateway:\n%s", failures[i], strings.Join(l.history.copy(), "\n"), strings.Join(g.output.last(40), "\n"))
			}
			l.finish(failures[i] == nil)
		})
	}
	lanes.Wait()
	return errors.Join(append(failures, ctx.Err())...)
}

// finish checks the counts of a lane and ends its gateway.
func (l *lane) finish(check bool) {
	l.present.Store(nil)
	g := l.gateway.Load()
	if check {
		l.checkCounts(g)
	}
	if !g.stop() && check {
		l.violate("the gateway ended with %s", g.cmd.ProcessState)
	}
}

// checkCounts checks that the gateway has counted each request once and has none
// left.
func (l *lane) checkCounts(g *gateway) {
	ctx, cancel := context.WithTimeout(context.Background(), calls.Patience)
	defer cancel()
	st, err := g.models.Status(ctx, &gatewayv1.StatusRequest{})
	for ; err == nil && requests(st) > 0; st, err = g.models.Status(ctx, &gatewayv1.StatusRequest{}) {
		time.Sleep(lookEvery)
	}
	if err != nil {
		l.violate("requests are left in the gateway: %v", err)
		return
	}
	counted, err := endedRequests(ctx, g.Link)
	if err != nil {
		l.violate("the metrics cannot be read: %v", err)
	}
	sure, unsure := g.sure.Load(), g.unsure.Load()
	if counted < sure || counted > sure+unsure {
		l.violate("the gateway counted %d requests; %d ended, and %d perhaps", counted, sure, unsure)
	}
}

// endedRequests returns how many inferences a gateway has counted.
func endedRequests(ctx context.Context, l *calls.Link) (int64, error) {
	resp, err := l.Get(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: %w: %s", resp.Status, err, text)
	}
	var sum int64
	for line := range strings.SplitSeq(string(text), "\n") {
		if strings.HasPrefix(line, "modelgateway_requests_total{") {
			n, err := strconv.ParseInt(line[strings.LastIndexByte(line, ' ')+1:], 10, 64)
			if err != nil {
				return 0, err
			}
			sum += n
		}
	}
	return sum, nil
}

// requests returns how many requests hold a model or wait for one.
func requests(st *gatewayv1.StatusResponse) int {
	n := 0
	for _, m := range st.GetModels() {
		n += int(m.GetActiveCount() + m.GetQueuedCount())
	}
	return n
}

// report prints what a run found, and returns the number of violations.
func (s *suite) report(out io.Writer, took time.Duration) int {
	var done []planned
	var asked int64
	var violations []violation
	worst := recovery{}
	recoveries := 0
	for _, l := range s.lanes {
		done = append(done, l.done...)
		asked += l.requests
		violations = append(violations, l.violations...)
		recoveries += len(l.recoveries)
		for _, r := range l.recoveries {
			if r.took.Seconds()/r.cold.Seconds() > worst.took.Seconds()/max(worst.cold.Seconds(), 1e-9) || worst.cold == 0 {
				worst = r
			}
		}
	}
	fmt.Fprint(out, countTable(done))
	for _, why := range s.left {
		fmt.Fprintln(out, "not on this machine:", why)
	}
	fmt.Fprintf(out, "%d faults in %v, seed %d, with %d inferences; %d recoveries with a load, the slowest in %v beside %v without a fault\n",
		len(done), took.Round(time.Second), s.seed, asked, recoveries, worst.took.Round(time.Millisecond), worst.cold.Round(time.Millisecond))
	for _, v := range violations {
		v.print(out)
	}
	fmt.Fprintf(out, "%d violations\n", len(violations))
	return len(violations)
}
