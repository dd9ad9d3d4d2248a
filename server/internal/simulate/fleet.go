package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/lexilingo/modelgateway/internal/traffic"
)

// settings are those of a simulated fleet.
type settings struct {
	seed              uint64
	replicas, proxies int
	// places is how many requests a replica serves at once, and queue how many wait.
	places, queue int
	// read is how much longer a replica works for a request of a conversation whose
	// prompt it does not have. It has those of the last kept conversations.
	read time.Duration
	kept int
	// overhead is what a request needs beside its wait and its service.
	overhead time.Duration
	// streams is the part of the requests that cannot be sent again once their answer has
	// begun.
	streams float64
	policy  policy
	// names are those of the replicas, for the hash of a conversation; the default is
	// their numbers.
	names []string
	// Of a replica that is restarted: see drain_delay and drain_timeout of the
	// configuration, and how long it then needs until it is ready.
	drainDelay, drainTimeout, start time.Duration
}

// fleet is some simulated replicas of the server, and the proxies before them.
type fleet struct {
	events
	settings
	clock    *clockwork.FakeClock
	random   *rand.Rand
	replicas []*replica
	proxies  []*proxy
	tables   tables

	run *traffic.Run
	// open is how many requests have not ended.
	open     int
	restarts int
	// attempts counts what proxies have sent to replicas.
	attempts uint64
}

func newFleet(s settings) *fleet {
	f := &fleet{
		settings: s,
		clock:    clockwork.NewFakeClock(),
		random:   rand.New(rand.NewPCG(s.seed, 2)), //nolint:gosec // nothing secret
	}
	f.moved = f.clock.Advance
	for i := range s.replicas {
		name := fmt.Sprintf("s%d", i+1)
		if i < len(s.names) {
			name = s.names[i]
		}
		r := &replica{fleet: f, index: i, name: name, closed: make([]bool, s.proxies)}
		f.replicas = append(f.replicas, r)
		r.boot()
	}
	f.tables = newTables(s.policy, f.replicas)
	for range s.proxies {
		f.proxies = append(f.proxies, newProxy(f))
	}
	return f
}

// call is a request on its way.
type call struct {
	*traffic.Request
	index  int
	hash   uint64 // of its conversation
	stream bool
	proxy  *proxy
	began  time.Duration
	// tried are the replicas that it was sent to.
	tried []*replica
	ended bool
}

// serve lets requests come, and returns what became of them when all have ended. beside
// happens at the same time.
func (f *fleet) serve(requests []traffic.Request, beside ...func()) *traffic.Run {
	f.run = &traffic.Run{Requests: requests, Results: make([]traffic.Result, len(requests)), Overhead: f.overhead}
	f.open = len(requests)
	f.come(0)
	for _, b := range beside {
		b()
	}
	f.events.run(func() bool { return f.open == 0 })
	return f.run
}

// come plans the arrival of a request; those after it are planned when it has come.
func (f *fleet) come(i int) {
	if i == len(f.run.Requests) {
		return
	}
	f.after(f.run.Requests[i].At-f.now, func() {
		f.come(i + 1)
		r := &f.run.Requests[i]
		c := &call{Request: r, index: i, began: f.now, proxy: f.proxies[f.random.IntN(len(f.proxies))]}
		c.stream = f.random.Float64() < f.streams
		if r.Conversation != "" {
			c.hash = hashOf(r.Conversation)
		}
		c.proxy.send(c)
	})
}

// end ends a request. Each ends once.
func (f *fleet) end(c *call, result traffic.Result) {
	if c.ended {
		panic(fmt.Sprintf("request %d ended twice", c.index))
	}
	c.ended = true
	f.open--
	result.Took = f.now - c.began
	f.run.Results[c.index] = result
}
