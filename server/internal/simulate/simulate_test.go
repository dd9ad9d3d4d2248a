package main

import (
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/internal/traffic"
)

// alone is a fleet of one replica, which is a queue before so many places.
func alone(places int) settings {
	return settings{seed: 3, replicas: 1, proxies: 1, places: places, queue: 1 << 20, policy: policy{choices: 1, size: 1}}
}

func poisson(count int, rate float64) []traffic.Request {
	return traffic.Generate(3, traffic.Shape{Rate: rate, Service: time.Second}, time.Duration(float64(count)/rate*float64(time.Second)))
}

// A replica serves in the order of arrival, each request at the place that is free first:
// each wait is what the recursion of Kiefer and Wolfowitz says.
func TestWaitsAreThoseOfAQueue(t *testing.T) {
	for _, places := range []int{1, 4} {
		requests := poisson(1500, 0.9*float64(places))
		free, waited := make([]time.Duration, places), 0
		for i, r := range newFleet(alone(places)).serve(requests).Results {
			at := requests[i].At
			slices.Sort(free)
			want := max(0, free[0]-at)
			free[0] = at + want + requests[i].Service
			if r.Wait != want || r.Took != want+requests[i].Service {
				t.Fatalf("%d places, request %d: waited %v of %v, want %v of %v", places, i, r.Wait, r.Took, want, want+requests[i].Service)
			}
			if want > 0 {
				waited++
			}
		}
		if waited < len(requests)/2 {
			t.Errorf("only %d of %d requests waited", waited, len(requests))
		}
	}
}

// With arrivals at random and service that is distributed exponentially, a replica is an
// M/M/c queue. The tolerances are about two standard errors of so many requests.
func TestWaitsOnAverageAreThoseOfAnMMcQueue(t *testing.T) {
	const places, load = 4, 0.6
	requests := poisson(20_000, places*load)
	waited, sum := 0.0, time.Duration(0)
	for _, r := range newFleet(alone(places)).serve(requests).Results {
		if r.Wait > 0 {
			waited++
		}
		sum += r.Wait
	}
	n, must := float64(len(requests)), erlangC(places, load)
	if got := waited / n; math.Abs(got/must-1) > 0.1 {
		t.Errorf("%.4f of the requests waited, want %.4f", got, must)
	}
	mean := must / (places * (1 - load))
	if got := sum.Seconds() / n; math.Abs(got/mean-1) > 0.25 {
		t.Errorf("the mean wait is %.4f s, want %.4f s", got, mean)
	}
}

// erlangC is the probability that a request waits in an M/M/c queue.
func erlangC(places int, load float64) float64 {
	offered, blocked := float64(places)*load, 1.0
	for k := 1; k <= places; k++ {
		blocked = offered * blocked / (float64(k) + offered*blocked)
	}
	return blocked / (1 - load*(1-blocked))
}

// troubled is a fleet some of whose replicas are restarted, killed and cut off under load;
// a part of the requests are streams.
func troubled(streams float64) (*fleet, *traffic.Run) {
	s := study{typical(8, 2, deployed), kind{"both", 0.5}, 2000}
	s.drainDelay, s.start, s.streams = 3*time.Second, 2*time.Second, streams
	f := newFleet(s.settings)
	return f, f.serve(s.load(2.4), func() {
		f.lose(40*time.Second, 1, (*replica).kill)
		f.after(60*time.Second, func() { f.replicas[1].unplug() })
		f.after(80*time.Second, func() { f.restartAll(f.replicas[2:], 2) })
	})
}

func TestOneSeedIsOneRun(t *testing.T) {
	_, a := troubled(0.5)
	if _, b := troubled(0.5); !reflect.DeepEqual(a, b) {
		t.Error("two runs of one seed differ")
	}
}

// Each request ends exactly once (fleet.end checks that it is not twice), nothing is left
// of it, and whatever happens to replicas, only streams that have begun break off.
func TestEachRequestEndsOnce(t *testing.T) {
	f, run := troubled(0.5)
	if f.restarts != 6 {
		t.Errorf("%d replicas were restarted, want 6", f.restarts)
	}
	for i, r := range run.Results {
		if (r.Failed == "") == (r.Server == "") || r.Took <= 0 {
			t.Fatalf("request %d has no end, or two: %+v", i, r)
		}
	}
	kinds := failures(run)
	if kinds[serverIsLost] == 0 || len(kinds) != 1 {
		t.Errorf("failed requests: %v; want streams that were lost, and nothing else", kinds)
	}
	if _, run := troubled(0); len(failures(run)) > 0 {
		t.Errorf("without streams, failed requests: %v", failures(run))
	}
	for _, p := range f.proxies {
		for _, c := range []*cluster{p.least, p.affinity} {
			if c.total != 0 || c.retries != 0 || slices.Max(c.active) != 0 || slices.Min(c.active) != 0 {
				t.Errorf("a proxy still counts requests at work: %+v", c)
			}
		}
	}
	for _, r := range f.replicas {
		if len(r.at) > 0 {
			t.Errorf("%s still has %d requests", r.name, len(r.at))
		}
	}
}

// A rollout fails no request: proxies see that a replica is leaving, and those that do
// not yet know send again what it refuses.
func TestRolloutFailsNothing(t *testing.T) {
	for _, delay := range []time.Duration{0, 3 * time.Second} {
		s := study{typical(6, 2, deployed), kind{"both", 0.5}, 1500}
		s.drainDelay, s.start = delay, 2*time.Second
		f := newFleet(s.settings)
		run := f.serve(s.load(2.8), func() { f.rollout(30*time.Second, 1) })
		if kinds := failures(run); len(kinds) > 0 || f.restarts != 6 {
			t.Errorf("drain_delay %v: %d restarts, failed: %v", delay, f.restarts, kinds)
		}
		if sent := f.attempts - uint64(len(run.Requests)); (sent > 0) != (delay == 0) {
			t.Errorf("drain_delay %v: %d requests were sent again", delay, sent)
		}
	}
}

// A replica with more work than the bound gets no conversation but those that nobody else
// can take, and one that is not usable gets none.
func TestBound(t *testing.T) {
	f := newFleet(typical(10, 1, policy{choices: 2, size: 1000, bound: 150}))
	p := f.proxies[0]
	c := p.affinity
	for i := range uint64(200) {
		r := p.bounded(hashOf(string(rune('a'+i))), 0, c)
		c.active[r]++
		c.total++
		// 1.5 of the mean, rounded up, and one more: the bound is for those that it has.
		if most := int(math.Ceil(1.5*float64(c.total)/10)) + 1; c.active[r] > most {
			t.Fatalf("a replica has %d of %d requests, want at most %d", c.active[r], c.total, most)
		}
	}
	home := p.table.at(hashOf("x"), 0)
	p.hosts[home].unhealthy = true
	p.refresh()
	if other := p.table.at(hashOf("x"), 0); other == home {
		t.Errorf("replica %d is not usable, but has a conversation", home)
	}
}

// The prompt of a conversation is lost if its replica is restarted, and if others need its
// place.
func TestKeptPrompts(t *testing.T) {
	turn := func(at time.Duration, conversation string, n int) traffic.Request {
		return traffic.Request{At: at, Conversation: conversation, Turn: n, Service: time.Second}
	}
	for name, c := range map[string]struct {
		kept     int
		restart  bool
		requests []traffic.Request
		want     int
	}{
		"kept":        {1, false, []traffic.Request{turn(0, "a", 1), turn(time.Minute, "a", 2)}, 1},
		"restarted":   {1, true, []traffic.Request{turn(0, "a", 1), turn(time.Minute, "a", 2)}, 0},
		"no place":    {1, false, []traffic.Request{turn(0, "a", 1), turn(5*time.Second, "b", 1), turn(time.Minute, "a", 2)}, 0},
		"two places":  {2, false, []traffic.Request{turn(0, "a", 1), turn(5*time.Second, "b", 1), turn(time.Minute, "a", 2)}, 1},
		"its first":   {1, false, []traffic.Request{turn(0, "a", 1)}, 0},
		"third turns": {1, false, []traffic.Request{turn(0, "a", 1), turn(5*time.Second, "a", 2), turn(time.Minute, "a", 3)}, 2},
	} {
		s := alone(1)
		s.kept, s.read = c.kept, time.Second/2
		f := newFleet(s)
		run := f.serve(c.requests, func() {
			if c.restart {
				f.rollout(10*time.Second, 1)
			}
		})
		sum, last := run.Summary(0), run.Results[len(c.requests)-1]
		if sum.Kept != c.want || sum.Returned != sum.Returns {
			t.Errorf("%s: %+v, want %d prompts to be kept", name, sum, c.want)
		}
		if read := last.Took - time.Second; (read == s.read) != (sum.Kept < sum.Returns) {
			t.Errorf("%s: %+v: it was read in %v", name, last, read)
		}
	}
}

// Before the first retry, Envoy waits for a random time up to the base interval, and
// before each other one up to twice as long.
func TestBackOff(t *testing.T) {
	longest := map[uint64]time.Duration{} // by attempts
	for seed := range uint64(400) {
		s := settings{seed: seed, replicas: 4, proxies: 1, places: 1, queue: 1, policy: policy{choices: 1, size: 4}}
		f := newFleet(s)
		for _, r := range f.replicas[:3] {
			r.kill()
		}
		got := f.serve([]traffic.Request{{Service: time.Second}}).Results[0]
		longest[f.attempts] = max(longest[f.attempts], got.Took-time.Second)
	}
	for attempts, most := range map[uint64]time.Duration{1: 0, 2: backOff, 3: 3 * backOff, 4: 7 * backOff} {
		if got := longest[attempts]; got > most || got < most*7/10 {
			t.Errorf("%d attempts waited up to %v, want up to %v", attempts, got, most)
		}
	}
}

// The throughput that is found was simulated, and holds.
func TestThroughputHolds(t *testing.T) {
	for seed := range uint64(4) {
		s := study{typical(4, 2, policy{choices: 2, size: 1}), single, 1500}
		s.seed = seed
		rate := s.throughput(time.Second, 2.3)
		if got := s.at(rate).Wait95; got > time.Second {
			t.Errorf("seed %d: at %.3f, 95 %% wait up to %v", seed, rate, got)
		}
		if got := s.at(1.1 * rate).Wait95; got <= time.Second {
			t.Errorf("seed %d: at 10 %% more than %.3f, 95 %% wait only %v", seed, rate, got)
		}
	}
}
