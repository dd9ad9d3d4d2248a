package main

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/lexilingo/modelgateway/test/internal/calls"
)

const (
	conversations = 300
	turns         = 3
	// talkers are how many requests are at work at once: 70 % of the places of three
	// gateways.
	talkers = 17
)

// The requests of a conversation reach the gateway that has its prompt, and no gateway
// gets many more than the others, at 70 % load.
func testAffinity(t *testing.T, f *fleet) {
	for _, p := range f.proxies {
		for _, c := range calls.Inferences() {
			if c.Name != "gRPC Chat" && c.Name != "REST chat" {
				continue
			}
			t.Run(p.name+" "+c.Name, func(t *testing.T) {
				served := converse(t, p, c)
				total, at := map[string]int{}, 0
				for _, by := range served {
					most := 0
					for gateway, n := range by {
						total[gateway] += n
						most = max(most, n)
					}
					at += most
				}
				all := conversations * turns
				t.Logf("%d of %d requests at the gateway of their conversation; by gateway: %v", at, all, total)
				if float64(at) < 0.95*float64(all) {
					t.Errorf("only %d of %d requests were at the gateway of their conversation", at, all)
				}
				for gateway, n := range total {
					if float64(n) > 1.25*float64(all)/size {
						t.Errorf("%s got %d of %d requests", gateway, n, all)
					}
				}
			})
		}
	}
}

// converse has all conversations, and returns how many requests of each were served by
// which gateway. The number of requests at work is always the same, so that the result
// does not depend on how fast the machine is.
func converse(t *testing.T, p *proxy, c calls.Call) map[string]map[string]int {
	served := map[string]map[string]int{}
	var mu sync.Mutex
	next := make(chan string)
	var running sync.WaitGroup
	for range talkers {
		running.Go(func() {
			for name := range next {
				at := ""
				got := c.Do(t.Context(), p.link, calls.Ask{
					Model: "talk", Text: calls.Hello, Metadata: http.Header{"Mg-Affinity": {name}},
					Answered: func(h http.Header) { at = h.Get("mg-endpoint") },
				})
				if got.Reason != "" {
					t.Errorf("%s: %s", name, got)
				}
				mu.Lock()
				if served[name] == nil {
					served[name] = map[string]int{}
				}
				served[name][at]++
				mu.Unlock()
			}
		})
	}
	for range turns {
		for i := range conversations {
			next <- fmt.Sprintf("conversation-%d", i)
		}
	}
	close(next)
	running.Wait()
	return served
}
