package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/internal/traffic"
)

const (
	// workPlaces is how many requests of the model "work" a gateway serves at once, and
	// workService their mean time.
	workPlaces  = 4
	workService = 250 * time.Millisecond
)

// workModels serve requests that say how long they take. They sleep, so that the result
// does not depend on the machine's cores.
var workModels = served{model: "work", models: fmt.Sprintf(`
cpu_threads: 64
engines:
  fault: {command: [engine-fault], max_concurrency: 64}
models:
  work: {engine: fault, path: DIR/model.bin, memory_mb: 30, threads: 1, idle_timeout: 0s, preload: true, max_concurrency: %d, parameters: {text: done}}
tasks:
  chat: {primary: work}
`, workPlaces)}

// measureLoads makes requests at some loads through Envoy, and writes what became of them
// to a file that server/internal/simulate compares with a simulation.
func measureLoads(bin, file string, length time.Duration, loads []float64, out io.Writer) error {
	f, err := newFleet(bin, workModels, loopback(), envoy)
	if err != nil {
		return err
	}
	defer f.stop()
	conn, err := grpc.NewClient(f.proxies[0].address+":8080", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	p := &player{client: gatewayv1.NewModelGatewayServiceClient(conn), names: map[string]string{}}
	for i, g := range f.gateways {
		p.names[g.endpoint()] = fmt.Sprintf("s%d", i+1) // hash_key in envoy.yaml
	}
	var runs []*traffic.Run
	for i, load := range loads {
		shape := traffic.Shape{
			Rate: load * size * workPlaces / workService.Seconds(), Service: workService, Longest: 6,
			Talk: 0.5, Turns: 5, Gap: 3 * time.Second,
		}
		run := p.play(traffic.Generate(uint64(i+1), shape, length))
		run.Name = fmt.Sprintf("%.0f %%", 100*load)
		runs = append(runs, run)
		_, _ = fmt.Fprintf(out, "%d requests at %s load, by server %v; the machine's load: %s\n", len(run.Requests), run.Name, run.Summary(0).Served, machineLoad())
	}
	for _, g := range f.gateways {
		if err := f.awaitUse(g); err != nil {
			return fmt.Errorf("a server was lost during the measurement: %w", err)
		}
	}
	text, err := json.Marshal(runs)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// machineLoad is the mean number of processes that want a core, in the last minute.
func machineLoad() string {
	text, _ := os.ReadFile("/proc/loadavg")
	return string(text[:min(4, len(text))])
}

// player makes requests.
type player struct {
	client gatewayv1.ModelGatewayServiceClient
	names  map[string]string // of gateways, by their addresses
}

// play makes each request at its time, whether the others have been answered or not. The
// run says when each was made and how long a server worked for it in fact: a busy machine
// is late, and sleeps longer.
func (p *player) play(requests []traffic.Request) *traffic.Run {
	run := &traffic.Run{Requests: requests, Results: make([]traffic.Result, len(requests))}
	var running sync.WaitGroup
	began := time.Now()
	for i := range requests {
		r := &requests[i]
		time.Sleep(time.Until(began.Add(r.At)))
		r.At = time.Since(began)
		running.Go(func() {
			run.Results[i] = p.ask(r)
			run.Results[i].Took = time.Since(began) - r.At
		})
	}
	running.Wait()
	var beyond []time.Duration
	for i, r := range run.Results {
		beyond = append(beyond, r.Took-r.Wait-requests[i].Service)
	}
	slices.Sort(beyond)
	run.Overhead = traffic.Quantile(beyond, 0.5)
	return run
}

// ask makes a request, and sets how long a server worked for it.
func (p *player) ask(r *traffic.Request) traffic.Result {
	ctx := context.Background()
	if r.Conversation != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "mg-affinity", r.Conversation)
	}
	text := fmt.Sprintf(`fault: {"token_count":1,"token_interval_us":%d}`, r.Service.Microseconds())
	resp, err := p.client.Chat(ctx, &gatewayv1.ChatRequest{
		Model: workModels.model, Messages: []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, Content: text}},
	})
	if err != nil {
		return traffic.Result{Failed: errs.ReasonName(errs.ReasonOf(err))}
	}
	by := resp.GetServedBy()
	r.Service = by.GetInferenceDuration().AsDuration()
	return traffic.Result{Wait: by.GetQueueDuration().AsDuration(), Server: p.names[by.GetInstance()]}
}
