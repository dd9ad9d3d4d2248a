// Command chat measures Chat against llama-server and llama-bench on the same
// file, threads and prompts, in interleaved rounds.
//
// Every round has a system prompt of its own that its clients share, so that a
// prefix is computed in the round that uses it. Both sides decode greedily.
//
// Usage: go run ./bench/chat [flags]   (make bench builds what it needs)
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lexilingo/modelgateway/bench/internal/benchkit"
)

type options struct {
	model         string
	gateway       string
	llamaServer   string
	llamaBench    string
	clients       []int
	threads       int
	rounds        int
	tokens        int
	prefixTokens  int
	contextLength int
	verbose       bool
}

func main() {
	benchkit.Main("bench/chat", func(ctx context.Context) error { return run(ctx, parse()) })
}

func parse() options {
	var o options
	tools := os.Getenv("MG_NATIVE_TOOLS")
	clients := flag.String("clients", "1,2,4", "numbers of clients to try")
	flag.StringVar(&o.model, "model", "", "GGUF file (bench/make_model.py makes one)")
	flag.StringVar(&o.gateway, "gateway", "bin/modelgateway", "the gateway's program")
	flag.StringVar(&o.llamaServer, "llama-server", tools+"/llama-server", "llama-server's program")
	flag.StringVar(&o.llamaBench, "llama-bench", tools+"/llama-bench", "llama-bench's program")
	flag.IntVar(&o.threads, "threads", 2, "inference threads")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds a number of clients")
	flag.IntVar(&o.tokens, "tokens", 64, "tokens to generate a request")
	flag.IntVar(&o.prefixTokens, "prefix", 600, "tokens of the shared system prompt")
	flag.IntVar(&o.contextLength, "context", 4096, "context cells of each side, shared by its sequences")
	flag.BoolVar(&o.verbose, "v", false, "show the servers' output")
	flag.Parse()
	for _, field := range strings.Split(*clients, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 {
			fmt.Fprintln(os.Stderr, "bench/chat: -clients wants numbers such as 1,2,4")
			os.Exit(2)
		}
		o.clients = append(o.clients, n)
	}
	return o
}

func run(ctx context.Context, o options) error {
	if o.model == "" {
		return fmt.Errorf("name a model with -model")
	}
	theirs, err := startLlamaServer(ctx, o)
	if err != nil {
		return fmt.Errorf("llama-server: %w", err)
	}
	defer theirs.process.Stop()
	ours, err := startGateway(ctx, o)
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	defer ours.Stop()
	prefix, err := theirs.textOfTokens(ctx, o.prefixTokens)
	if err != nil {
		return err
	}
	fmt.Printf("file %s · %d threads · %d cells · %d tokens a request · system prompt of about %d tokens · %d rounds\n",
		o.model, o.threads, o.contextLength, o.tokens, o.prefixTokens, o.rounds)
	for _, n := range o.clients {
		if err := compare(ctx, o, n, prefix, ours, theirs); err != nil {
			return err
		}
	}
	return nil
}

// ceiling returns the tokens/s that llama-bench decodes behind a prefix of the
// same length: no server can be faster.
func ceiling(ctx context.Context, o options) (float64, error) {
	out, err := exec.CommandContext(ctx, o.llamaBench, "-m", o.model, "-t", strconv.Itoa(o.threads),
		"-p", "0", "-n", strconv.Itoa(o.tokens), "-d", strconv.Itoa(o.prefixTokens), "-r", "1", "-o", "json").Output()
	if err != nil {
		return 0, fmt.Errorf("llama-bench: %w", err)
	}
	var rows []struct {
		Mean float64 `json:"avg_ts"`
	}
	if err := json.Unmarshal(out, &rows); err != nil || len(rows) != 1 {
		return 0, fmt.Errorf("llama-bench printed %d rows: %w", len(rows), err)
	}
	return rows[0].Mean, nil
}

// side is a server under test.
type side interface {
	chat(ctx context.Context, system, user string, maxTokens int) (answer, error)
}

// answer is what one request took.
type answer struct {
	tokens     int
	firstToken time.Duration
	// decode is the time from the first token to the last.
	decode time.Duration
}

// sample is what one round of one side gave.
type sample struct {
	throughput float64 // tokens/s of all clients together, prefill included
	decode     float64 // tokens/s of one client after its first token
	firstToken float64 // median seconds to the first token
}

func compare(ctx context.Context, o options, clients int, prefix string, ours, theirs side) error {
	var a, b [3]benchkit.Series
	var most benchkit.Series
	for round := range o.rounds + 1 {
		// Sides take turns in going first; round 0 warms up.
		order := []side{ours, theirs}
		if round%2 == 1 {
			order = []side{theirs, ours}
		}
		for _, s := range order {
			got, err := oneRound(ctx, s, clients, fmt.Sprintf("Round %d.%d. %s", clients, round, prefix), o.tokens)
			if err != nil {
				return err
			}
			if round == 0 {
				continue
			}
			series := &a
			if s == theirs {
				series = &b
			}
			series[0].Add(got.throughput)
			series[1].Add(got.decode)
			series[2].Add(got.firstToken)
		}
		if clients == 1 && round > 0 {
			rate, err := ceiling(ctx, o)
			if err != nil {
				return err
			}
			most.Add(rate)
		}
	}
	for i, name := range []string{"throughput tokens/s", "decode tokens/s", "first token s"} {
		fmt.Printf("%d clients  %-20s ours %-24s llama-server %-24s ratio %s\n",
			clients, name, a[i].Format(), b[i].Format(), benchkit.Ratios(a[i], b[i]).Format())
	}
	if clients == 1 {
		fmt.Printf("%d clients  %-20s ours %-24s llama-bench  %-24s ratio %s\n",
			clients, "decode tokens/s", a[1].Format(), most.Format(), benchkit.Ratios(a[1], most).Format())
	}
	return nil
}

func oneRound(ctx context.Context, s side, clients int, system string, maxTokens int) (sample, error) {
	answers := make([]answer, clients)
	errs := make([]error, clients)
	var wait sync.WaitGroup
	start := time.Now()
	for i := range clients {
		wait.Go(func() {
			answers[i], errs[i] = s.chat(ctx, system, fmt.Sprintf("Client %d asks for a story.", i), maxTokens)
		})
	}
	wait.Wait()
	elapsed := time.Since(start).Seconds()
	var total int
	var first, decode benchkit.Series
	for i, a := range answers {
		if errs[i] != nil {
			return sample{}, errs[i]
		}
		total += a.tokens
		first.Add(a.firstToken.Seconds())
		if a.tokens > 1 {
			decode.Add(float64(a.tokens-1) / a.decode.Seconds())
		}
	}
	return sample{throughput: float64(total) / elapsed, decode: decode.Median(), firstToken: first.Median()}, nil
}
