package main

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/lexilingo/modelgateway/test/internal/calls"
)

// lengthy is a chat that takes two seconds.
const lengthy = `fault: {"token_count":40,"token_interval_us":50000}`

// unaries returns the calls whose answer is one message.
func unaries() []calls.Call {
	var all []calls.Call
	for _, c := range calls.Inferences() {
		method := c.Name[strings.LastIndexByte(c.Name, ' ')+1:]
		if !c.Session && !strings.Contains(method, "tream") && !strings.Contains(method, "ynthesize") && !strings.Contains(c.Name, "as ") && method != "Transcribe" && method != "transcribe" {
			all = append(all, c)
		}
	}
	return all
}

// If a gateway is killed, no unary call through Envoy fails, and each stream that it
// served ends as one whose connection is lost, never as a complete one.
func testKill(t *testing.T, f *fleet) {
	victim, l := f.gateways[1], &load{}
	unary := unaries()
	for i := range 3 * len(unary) {
		l.run(f.proxies[0], unary[i%len(unary)], calls.Ask{Model: "quick", Text: lengthy})
	}
	type stream struct {
		call    string
		proxy   string
		at      string // the gateway that serves it
		got     calls.End
		started sync.WaitGroup
	}
	var streams []*stream
	var running sync.WaitGroup
	for _, p := range f.proxies {
		for _, c := range append(calls.StreamChats(), calls.StreamChats()...) {
			s := &stream{call: c.Name, proxy: p.name}
			s.started.Add(1)
			streams = append(streams, s)
			running.Go(func() {
				begun := sync.OnceFunc(s.started.Done)
				s.got = c.Do(context.Background(), p.link, calls.Ask{Model: "quick", Text: lengthy, First: begun,
					Answered: func(h http.Header) { s.at = h.Get("mg-endpoint") }})
				begun()
			})
		}
	}
	for _, s := range streams {
		s.started.Wait()
	}
	at := 0
	for _, s := range streams {
		if s.at == victim.endpoint() {
			at++
		}
	}
	if err := victim.await("unary calls run beside the streams", func() bool { return victim.metric("modelgateway_requests_active", "quick") > at }); err != nil {
		t.Fatal(err)
	}
	victim.kill()
	for i := range 2 * len(unary) {
		l.run(f.proxies[0], unary[i%len(unary)], calls.Ask{Model: "quick", Text: lengthy})
	}
	running.Wait()
	l.running.Wait()
	if err := l.check(); err != nil {
		t.Error(err)
	}
	if at == 0 {
		t.Error("no stream was at the gateway that was killed")
	}
	for _, s := range streams {
		lost := s.got.Reason == calls.Broken || s.got.Reason == calls.Reset
		if lost != (s.at == victim.endpoint()) || !lost && s.got.Reason != "" {
			t.Errorf("%s through %s to %s, while %s was killed: %s", s.call, s.proxy, s.at, victim.endpoint(), s.got)
		}
	}
	if err := victim.start(); err != nil {
		t.Fatal(err)
	}
	if err := f.awaitUse(victim); err != nil {
		t.Fatal(err)
	}
}
