package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/lexilingo/modelgateway/test/internal/calls"
)

// load makes requests through proxies and records how they end.
type load struct {
	counts  bool // see served
	running sync.WaitGroup

	mu       sync.Mutex
	made     int
	sessions int
	failures []string
}

// run makes a request in the background.
func (l *load) run(p *proxy, c calls.Call, a calls.Ask) {
	l.running.Go(func() {
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 2*calls.Patience)
		defer cancel()
		text := ""
		if c.Session && a.Pieces > 0 {
			a.Transcript = func(s string) { text = s }
		}
		got := c.Do(ctx, p.link, a)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.made++
		if c.Session {
			l.sessions++
			if want := fmt.Sprintf("%d bytes", a.Pieces*calls.PieceBytes); l.counts && got.Reason == "" && a.Pieces > 0 && text != want {
				l.failures = append(l.failures, fmt.Sprintf("%s through %s: got the text %q, want %q", c.Name, p.name, text, want))
			}
		}
		if got.Reason != "" {
			l.failures = append(l.failures, fmt.Sprintf("%s to %s through %s, begun at %s, after %v: %s",
				c.Name, a.Model, p.name, began.Format("15:04:05.000"), time.Since(began).Round(time.Millisecond), got))
		}
	})
}

// count returns how many requests have ended.
func (l *load) count() (made, sessions int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.made, l.sessions
}

// check returns an error if a request failed.
func (l *load) check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.failures) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d requests failed:\n%s", len(l.failures), l.made, strings.Join(l.failures[:min(20, len(l.failures))], "\n"))
}

// steady makes requests of all kinds through every proxy, rate a second, until done is
// closed and at least min were made. Every fifth is a session that lasts a second.
func (l *load) steady(f *fleet, rate, minimum int, done <-chan struct{}) {
	var kinds, talks []calls.Call
	for _, c := range f.kinds {
		if c.Session {
			talks = append(talks, c)
		} else {
			kinds = append(kinds, c)
		}
	}
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-done:
			if i >= minimum {
				return
			}
		default:
		}
		p := f.proxies[i%len(f.proxies)]
		if n := i / len(f.proxies); n%5 == 4 {
			l.run(p, talks[n/5%len(talks)], calls.Ask{Model: f.model, Text: calls.Hello, Pieces: 10, Pace: 100 * time.Millisecond})
		} else {
			l.run(p, kinds[n%len(kinds)], calls.Ask{Model: f.model, Text: calls.Hello})
		}
		<-tick.C
	}
}

// burst makes n chats at once that wait for each other.
func (l *load) burst(f *fleet, n int) {
	kinds := calls.StreamChats()
	for i := range n {
		l.run(f.proxies[i%len(f.proxies)], kinds[i/len(f.proxies)%len(kinds)], calls.Ask{Model: f.slow, Text: calls.Hello})
	}
}
