package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/test/internal/calls"
)

// mostQueued is how many requests wait at a gateway when it is told to end.
const mostQueued = 20

// rollingRestart restarts all gateways one after the other under load, in rounds until
// at least requests were made, rate a second, and reports what it saw.
func rollingRestart(f *fleet, requests, rate int, out io.Writer) error {
	l, done, failed := &load{counts: f.counts}, make(chan struct{}), make(chan error, 1)
	began, restarts := time.Now(), 0
	go func() {
		defer close(done)
		for {
			for _, g := range f.gateways {
				if err := restartBusy(f, l, g); err != nil {
					failed <- err
					return
				}
				restarts++
			}
			if made, _ := l.count(); made >= requests {
				failed <- nil
				return
			}
		}
	}()
	l.steady(f, rate, requests, done)
	err := <-failed
	l.running.Wait()
	made, sessions := l.count()
	_, _ = fmt.Fprintf(out, "%d requests, %d of them sessions, during %d restarts in %v: %d failed\n",
		made, sessions, restarts, time.Since(began).Round(time.Second), len(l.failures))
	return errors.Join(err, l.check())
}

// restartBusy lets requests queue at a gateway, ends it as an operator does, and starts
// it again.
func restartBusy(f *fleet, l *load, g *gateway) error {
	l.burst(f, size*(mostQueued+10))
	if err := g.await("requests queue", func() bool { return g.metric("modelgateway_requests_queued", f.queue) >= mostQueued }); err != nil {
		return err
	}
	if err := g.terminate(); err != nil {
		return err
	}
	if err := g.start(); err != nil {
		return err
	}
	return errors.Join(firstAnswer(f, g), f.awaitUse(g))
}

// firstAnswer checks that the first request of a gateway waits for no load.
func firstAnswer(f *fleet, g *gateway) error {
	ctx, cancel := context.WithTimeout(context.Background(), calls.Patience)
	defer cancel()
	client, err := modelgateway.New(g.endpoint())
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	resp, err := client.Chat(ctx, &gatewayv1.ChatRequest{Messages: modelgateway.User(calls.Hello), Model: f.model})
	if err != nil {
		return fmt.Errorf("the first request after a restart: %w", err)
	}
	if load := resp.GetServedBy().GetLoadDuration().AsDuration(); load != 0 {
		return fmt.Errorf("the first request after a restart waited %v for a load", load)
	}
	return nil
}
