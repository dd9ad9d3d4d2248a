// Command chat compares Chat with llama-server and llama-bench for the same
// file, threads and prompts, in interleaved rounds. With -grammar it compares Grammar
// with llama-server.
//
// Every round has its own system prompt, which its clients share, so that a
// prefix is computed in the round that uses it. Both sides decode greedily.
//
// Usage: go run ./bench/chat [flags]   (make bench prepares everything)
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
	"github.com/lexilingo/modelgateway/bench/internal/report"
)

type options struct {
	model         string
	server        string
	llamaServer   string
	llamaBench    string
	clients       []int
	threads       int
	rounds        int
	tokens        int
	prefixTokens  int
	contextLength int
	grammar       bool
	verbose       bool
}

func main() {
	benchkit.Main("bench/chat", func(ctx context.Context) error { return run(ctx, parse()) })
}

func parse() options {
	var o options
	tools := os.Getenv("MG_NATIVE_TOOLS")
	clients := flag.String("clients", "1,2,4", "numbers of clients")
	flag.StringVar(&o.model, "model", "", "GGUF file (bench/make_model.py creates one)")
	flag.StringVar(&o.server, "server", "bin/modelgateway", "the server program")
	flag.StringVar(&o.llamaServer, "llama-server", tools+"/llama-server", "path of llama-server")
	flag.StringVar(&o.llamaBench, "llama-bench", tools+"/llama-bench", "path of llama-bench")
	flag.IntVar(&o.threads, "threads", 2, "inference threads")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds for each number of clients")
	flag.IntVar(&o.tokens, "tokens", 64, "tokens to generate per request")
	flag.IntVar(&o.prefixTokens, "prefix", 600, "tokens of the shared system prompt")
	flag.IntVar(&o.contextLength, "context", 4096, "context length in tokens, shared by the sequences")
	flag.BoolVar(&o.grammar, "grammar", false, "compare corrections of learners' texts instead; -tokens is the number of texts")
	flag.BoolVar(&o.verbose, "v", false, "show the servers' output")
	flag.Parse()
	for _, field := range strings.Split(*clients, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 {
			fmt.Fprintln(os.Stderr, "bench/chat: -clients must be a list of numbers such as 1,2,4")
			os.Exit(2)
		}
		o.clients = append(o.clients, n)
	}
	return o
}

func run(ctx context.Context, o options) error {
	if o.model == "" {
		return fmt.Errorf("give a model with -model")
	}
	theirs, err := startLlamaServer(ctx, o)
	if err != nil {
		return fmt.Errorf("llama-server: %w", err)
	}
	defer theirs.process.Stop()
	ours, err := startServer(ctx, o)
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	defer ours.Stop()
	if o.grammar {
		r := report.New("grammar", "Grammar correction", o.server)
		r.Program(o.llamaServer, "--version")
		r.Setting("%s · %d threads · context of %d tokens · %d rounds", benchkit.FileSize(o.model), o.threads, o.contextLength, o.rounds)
		if err := compareGrammar(ctx, o, r, ours, theirs); err != nil {
			return err
		}
		return r.Write()
	}
	prefix, err := theirs.textOfTokens(ctx, o.prefixTokens)
	if err != nil {
		return err
	}
	r := report.New("chat", "Chat", o.server)
	r.Program(o.llamaServer, "--version")
	r.Setting("%s · %d threads · context of %d tokens · %d tokens per request · system prompt of about %d tokens · %d rounds",
		benchkit.FileSize(o.model), o.threads, o.contextLength, o.tokens, o.prefixTokens, o.rounds)
	for _, n := range o.clients {
		if err := compare(ctx, o, r, n, prefix, ours, theirs); err != nil {
			return err
		}
	}
	return r.Write()
}

// ceiling returns the tokens/s that llama-bench decodes after a prefix of the
// same length. No server can be faster.
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

// answer has the measurements of one request.
type answer struct {
	tokens     int
	firstToken time.Duration
	// decode is the time from the first token to the last.
	decode time.Duration
}

// sample has the results of one round of one side.
type sample struct {
	throughput float64 // tokens/s of all clients together, including prefill
	decode     float64 // tokens/s of one client after its first token
	firstToken float64 // median seconds to the first token
}

func compare(ctx context.Context, o options, r *report.Report, clients int, prefix string, ours, theirs side) error {
	var a, b [3]benchkit.Series
	var most benchkit.Series
	for round := range o.rounds + 1 {
		// The sides alternate in going first; round 0 is a warm-up.
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
	rate := report.Unit{Name: "tokens/s", Better: report.Higher}
	const peer = "llama-server"
	r.Compare(fmt.Sprintf("clients: %d, throughput", clients), rate, peer, a[0], b[0])
	r.Compare(fmt.Sprintf("clients: %d, decode", clients), rate, peer, a[1], b[1])
	if clients == 1 {
		r.Compare("clients: 1, decode", rate, "llama-bench", a[1], most)
	}
	r.Compare(fmt.Sprintf("clients: %d", clients), report.Unit{Name: "first token after s", Better: report.Lower}, peer, a[2], b[2])
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
