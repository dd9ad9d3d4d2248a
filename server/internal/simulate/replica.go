package main

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/internal/traffic"
	"github.com/lexilingo/modelgateway/server/internal/lifecycle"
)

// model is the name of the model that all replicas serve.
const model = "chat"

// state is what a replica's proxies can find out about it.
type state int

const (
	serving state = iota
	// leaving: it serves, but says that it is not ready.
	leaving
	// down: its machine refuses connections.
	down
	// cut: its machine answers nothing.
	cut
)

// replica is one simulated server.
type replica struct {
	fleet   *fleet
	index   int
	name    string
	manager *lifecycle.Simulated
	state   state
	// epoch counts the changes of state.
	epoch int
	// closed: the connections of a proxy to a replica that is cut were closed.
	closed []bool
	// shutting: it takes no new requests.
	shutting bool
	prompts  prompts
	// at are the attempts that it has, by their numbers.
	at map[uint64]*attempt
	// wakeAt is when the manager is to be woken; 0: no wake is planned.
	wakeAt time.Duration
}

// attempt is a request that was sent to a replica.
type attempt struct {
	*call
	number  uint64
	replica *replica
	cluster *cluster
	// again: it is not the first of its request.
	again bool
	wait  time.Duration
	kept  bool // the prompt of its conversation
	begun bool // its answer
	over  bool
}

// boot starts the replica, with its model loaded and without prompts.
func (r *replica) boot() {
	s := r.fleet.settings
	r.manager = lifecycle.NewSimulated(
		lifecycle.Options{BudgetBytes: 2 << 30, CPUThreads: 1, Clock: r.fleet.clock},
		[]lifecycle.ModelSpec{{Name: model, DeclaredBytes: 1 << 30, Threads: 1, MaxConcurrency: s.places, MaxQueue: s.queue}})
	r.manager.Load(model)
	r.at, r.shutting, r.wakeAt = map[uint64]*attempt{}, false, 0
	r.prompts = newPrompts(s.kept)
	r.become(serving)
}

// become changes the state, and lets the proxies find out.
func (r *replica) become(s state) {
	r.state = s
	r.epoch++
	for _, p := range r.fleet.proxies {
		p.watch(r)
	}
}

// receive begins an attempt.
func (r *replica) receive(a *attempt) {
	switch {
	case r.state == down:
		a.end(refusedConnection, "")
	case r.state == cut && r.closed[a.proxy.index]:
		r.fleet.after(connectTimeout, func() { a.end(refusedConnection, "") })
	case r.state == cut:
		r.at[a.number] = a
	default:
		r.at[a.number] = a
		r.manager.Acquire(lifecycle.Request{Model: model}, "", func(l *lifecycle.Lease, err error) {
			if err != nil {
				r.answer(a, refused, err)
				return
			}
			r.work(a, l)
		})
		r.settled()
	}
}

// work serves a request that has its lease.
func (r *replica) work(a *attempt, l *lifecycle.Lease) {
	f, service := r.fleet, a.Service
	a.wait = max(0, f.now-a.began-f.overhead/2)
	a.begun = true
	if a.Conversation != "" {
		a.kept = r.prompts.has(a.Conversation)
		if !a.kept && a.Turn > 1 {
			service += f.read
		}
	}
	manager := r.manager
	f.after(service, func() {
		if a.over || manager != r.manager {
			return
		}
		manager.Release(l, nil)
		r.answer(a, succeeded, nil)
		r.settled()
	})
}

// answer sends the end of an attempt to its proxy, if the machine can.
func (r *replica) answer(a *attempt, how outcome, err error) {
	if r.state == cut {
		return
	}
	why := ""
	if err != nil {
		why = errs.ReasonName(errs.ReasonOf(err))
		if errs.ReasonOf(err) != errs.Draining {
			how = failed
		}
	}
	delete(r.at, a.number)
	a.over = true
	r.fleet.after(r.fleet.overhead/2, func() { a.finish(how, why) })
}

// settled does what follows a call of the manager.
func (r *replica) settled() {
	if r.shutting && r.manager.Idle() {
		r.exit()
		return
	}
	f, m, in := r.fleet, r.manager, r.manager.Wake()
	at := f.now + in
	if r.wakeAt != 0 && r.wakeAt <= at {
		return
	}
	r.wakeAt = at
	f.after(in, func() {
		if r.wakeAt != at || r.manager != m || r.state == down || r.state == cut {
			return
		}
		r.wakeAt = 0
		m.Advance()
		r.settled()
	})
}

// terminate ends the replica as SIGTERM does, and starts it again.
func (r *replica) terminate() {
	f := r.fleet
	r.become(leaving)
	f.after(f.drainDelay, func() {
		r.shutting = true
		r.manager.BeginShutdown()
		epoch := r.epoch
		r.settled()
		f.after(f.drainTimeout, func() {
			if r.epoch == epoch {
				r.exit()
			}
		})
	})
}

// exit ends the process, which is started again.
func (r *replica) exit() {
	r.shutting = false
	r.kill()
	r.fleet.after(r.fleet.start, func() {
		r.fleet.restarts++
		r.boot()
	})
}

// kill ends the process with all that it has.
func (r *replica) kill() {
	r.become(down)
	for _, n := range slices.Sorted(maps.Keys(r.at)) {
		r.at[n].end(lost, "")
	}
	clear(r.at)
}

// unplug takes the machine off the network. The proxies close their connections to it
// when their pings have no answer: keepalive of deploy/envoy/envoy.yaml.
func (r *replica) unplug() {
	f := r.fleet
	r.become(cut)
	for i := range f.proxies {
		f.after(pingInterval+time.Duration(f.random.Float64()*float64(pingTimeout)), func() {
			r.closed[i] = true
			of := slices.SortedFunc(maps.Values(r.at), func(a, b *attempt) int { return cmp.Compare(a.number, b.number) })
			for _, a := range of {
				if a.proxy.index == i {
					delete(r.at, a.number)
					a.end(lost, "")
				}
			}
		})
	}
}

// end ends an attempt without an answer of the replica.
func (a *attempt) end(how outcome, why string) {
	a.over = true
	a.finish(how, why)
}

// finish tells the proxy how an attempt ended.
func (a *attempt) finish(how outcome, why string) {
	a.proxy.ended(a, how, traffic.Result{Wait: a.wait, Server: a.replica.name, Kept: a.kept, Failed: why})
}

// prompts are those of the conversations that a replica served last.
type prompts struct {
	most  int
	last  map[string]uint64
	count uint64
}

func newPrompts(most int) prompts { return prompts{most: most, last: map[string]uint64{}} }

// has reports whether the prompt of a conversation is there, and keeps it.
func (p *prompts) has(conversation string) bool {
	_, found := p.last[conversation]
	p.count++
	p.last[conversation] = p.count
	if len(p.last) > p.most {
		oldest, at := "", p.count
		for c, n := range p.last {
			if n < at {
				oldest, at = c, n
			}
		}
		delete(p.last, oldest)
	}
	return found
}
