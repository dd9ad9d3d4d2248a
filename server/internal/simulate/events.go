package main

import (
	"container/heap"
	"time"
)

// events are what will happen, in the order of their time; at one time, in the order in
// which they were planned.
type events struct {
	now     time.Duration
	planned planned
	seq     uint64
	// moved is told of each step of the time.
	moved func(by time.Duration)
}

type event struct {
	at  time.Duration
	seq uint64
	run func()
}

type planned []event

func (p planned) Len() int { return len(p) }
func (p planned) Less(i, j int) bool {
	return p[i].at < p[j].at || p[i].at == p[j].at && p[i].seq < p[j].seq
}
func (p planned) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p *planned) Push(e any)   { *p = append(*p, e.(event)) }
func (p *planned) Pop() any {
	last := len(*p) - 1
	e := (*p)[last]
	(*p)[last] = event{}
	*p = (*p)[:last]
	return e
}

// after plans an event.
func (e *events) after(d time.Duration, run func()) {
	e.seq++
	heap.Push(&e.planned, event{e.now + max(0, d), e.seq, run})
}

// run lets everything happen until done reports that it is enough, or nothing is left.
func (e *events) run(done func() bool) {
	for len(e.planned) > 0 && !done() {
		next := heap.Pop(&e.planned).(event)
		if by := next.at - e.now; by > 0 {
			e.now = next.at
			e.moved(by)
		}
		next.run()
	}
}
