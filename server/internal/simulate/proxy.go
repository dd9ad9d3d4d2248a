package main

import (
	"slices"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/internal/traffic"
)

// What deploy/envoy/envoy.yaml sets.
const (
	checkInterval      = time.Second
	checkTimeout       = time.Second
	unhealthyAfter     = 2 // checks without an answer
	ejectedAfter       = 2 // connections that were refused in a row
	connectTimeout     = time.Second
	pingInterval       = 2 * time.Second
	pingTimeout        = 2 * time.Second
	mostRetries        = 3
	selectionTries     = 50
	retryBudget        = 0.5
	retriesAlways      = 100
	backOff            = 50 * time.Millisecond
	longestBackOff     = 500 * time.Millisecond
	panicShare         = 0.01
	serverIsLost       = "LOST"
	notSentAgain       = "NOT_SENT_AGAIN"
	connectionsRefused = "UNREACHABLE"
)

// outcome is how an attempt ended.
type outcome int

const (
	succeeded outcome = iota
	// refused: the replica is shutting down.
	refused
	// failed: with an error that is the answer.
	failed
	// refusedConnection: nothing listens.
	refusedConnection
	// lost: the connection broke.
	lost
)

// policy is how a proxy chooses.
type policy struct {
	// choices is how many replicas are compared for a request without a conversation.
	choices int
	// maglev: the table for conversations is Maglev's; otherwise a ring.
	maglev bool
	// size is that of the ring or the table.
	size int
	// bound is the most work of a replica, in per cent of the mean, with which it gets its
	// conversations; 0: without a bound.
	bound int
}

// cluster counts the requests at work of a kind, as a cluster of Envoy.
type cluster struct {
	active         []int // by replica
	total, retries int
}

// host is what a proxy knows of a replica.
type host struct {
	unhealthy, ejected bool
	// unanswered and refused count what failed in a row.
	unanswered, refused int
}

func (h *host) usable() bool { return !h.unhealthy && !h.ejected }

// proxy is an Envoy. Its clusters share what they know of the health of replicas.
type proxy struct {
	fleet *fleet
	index int
	// phase is when its health checks take place in each interval.
	phase time.Duration
	hosts []host
	// least is the cluster that compares the work of replicas; affinity that of
	// conversations.
	least, affinity *cluster
	// usable are the replicas that get requests, and table that of their conversations.
	usable []int
	table  table
}

func newProxy(f *fleet) *proxy {
	n := len(f.replicas)
	p := &proxy{
		fleet: f, index: len(f.proxies), phase: time.Duration(f.random.Float64() * float64(checkInterval)),
		hosts: make([]host, n), least: &cluster{active: make([]int, n)}, affinity: &cluster{active: make([]int, n)},
	}
	p.refresh()
	return p
}

// refresh finds the replicas that get requests. If none is usable, all do.
func (p *proxy) refresh() {
	p.usable = p.usable[:0]
	for i := range p.hosts {
		if p.hosts[i].usable() {
			p.usable = append(p.usable, i)
		}
	}
	if float64(len(p.usable)) < panicShare*float64(len(p.hosts)) {
		p.usable = p.usable[:0]
		for i := range p.hosts {
			p.usable = append(p.usable, i)
		}
	}
	p.table = p.fleet.tables.of(p.usable)
}

// watch lets the health checks find out a new state of a replica. Those that would find
// nothing new are not simulated.
func (p *proxy) watch(r *replica) {
	f, epoch := p.fleet, r.epoch
	since := (f.now - p.phase) % checkInterval
	f.after((checkInterval-since)%checkInterval, func() { p.check(r, epoch) })
}

func (p *proxy) check(r *replica, epoch int) {
	if r.epoch != epoch {
		return
	}
	h := &p.hosts[r.index]
	switch r.state {
	case serving:
		*h = host{}
	case leaving: // an answer, so that once is enough
		h.unhealthy = true
	default:
		took := time.Duration(0)
		if r.state == cut {
			took = checkTimeout
		}
		p.fleet.after(took, func() {
			if r.epoch != epoch {
				return
			}
			if h.unanswered++; h.unanswered < unhealthyAfter {
				p.fleet.after(checkInterval, func() { p.check(r, epoch) })
				return
			}
			h.unhealthy = true
			p.refresh()
		})
		return
	}
	p.refresh()
}

// send sends a request to a replica.
func (p *proxy) send(c *call) {
	cl := p.least
	if c.Conversation != "" {
		cl = p.affinity
	}
	f := p.fleet
	r := p.choose(c, cl)
	f.attempts++
	a := &attempt{call: c, number: f.attempts, replica: r, cluster: cl, again: len(c.tried) > 0}
	c.tried = append(c.tried, r)
	cl.active[r.index]++
	cl.total++
	f.after(f.overhead/2, func() { r.receive(a) })
}

// choose chooses a replica: another one for a request that is sent again.
func (p *proxy) choose(c *call, cl *cluster) *replica {
	var r *replica
	for try := range selectionTries {
		if c.Conversation != "" {
			r = p.fleet.replicas[p.bounded(c.hash, try, cl)]
		} else {
			r = p.fleet.replicas[p.leastOfSome(cl)]
		}
		if !slices.Contains(c.tried, r) {
			break
		}
	}
	return r
}

// leastOfSome returns the replica with the least work of some at random.
func (p *proxy) leastOfSome(cl *cluster) int {
	best := p.usable[p.fleet.random.IntN(len(p.usable))]
	for range p.fleet.policy.choices - 1 {
		if other := p.usable[p.fleet.random.IntN(len(p.usable))]; cl.active[other] < cl.active[best] {
			best = other
		}
	}
	return best
}

// ended does what follows the end of an attempt.
func (p *proxy) ended(a *attempt, how outcome, result traffic.Result) {
	cl, h := a.cluster, &p.hosts[a.replica.index]
	cl.active[a.replica.index]--
	cl.total--
	if a.again {
		cl.retries--
	}
	if how == refusedConnection {
		if h.refused++; h.refused == ejectedAfter {
			h.ejected = true
			p.refresh()
		}
	} else {
		h.refused = 0
	}
	f := p.fleet
	switch {
	case how == succeeded || how == failed:
		f.end(a.call, result)
	case how == lost && a.begun && a.stream:
		f.end(a.call, traffic.Result{Failed: serverIsLost})
	case len(a.tried) > mostRetries || float64(cl.retries) >= max(retriesAlways, retryBudget*float64(cl.total)):
		f.end(a.call, traffic.Result{Failed: map[outcome]string{
			refused: errs.ReasonName(errs.Draining), refusedConnection: connectionsRefused, lost: notSentAgain,
		}[how]})
	default:
		cl.retries++
		longest := min(longestBackOff, backOff<<(len(a.tried)-1))
		f.after(time.Duration(f.random.Float64()*float64(longest)), func() { p.send(a.call) })
	}
}
