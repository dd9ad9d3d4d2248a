// Command overhead measures the time that the server adds to a call: the same
// stub engine (cmd/engine-fault, which needs almost no time) is called through
// the server, directly, and through a bare relay, by the same client, in
// interleaved rounds.
//
// Usage: go run ./bench/overhead [flags]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/lexilingo/modelgateway/bench/internal/benchkit"
	"github.com/lexilingo/modelgateway/bench/internal/report"
	"github.com/lexilingo/modelgateway/engines"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

type options struct {
	server, engine        string
	rounds, calls, tokens int
}

func main() {
	var o options
	flag.StringVar(&o.server, "server", "bin/modelgateway", "the server program")
	flag.StringVar(&o.engine, "engine", "bin/engine-fault", "path of the stub engine")
	flag.IntVar(&o.rounds, "rounds", 15, "rounds per side")
	flag.IntVar(&o.calls, "calls", 500, "unary calls per round")
	flag.IntVar(&o.tokens, "tokens", 20000, "streamed tokens per round")
	from := flag.String("relay-from", "", "be the bare relay, and listen on this address")
	to := flag.String("relay-to", "", "the address of the engine of the bare relay")
	flag.Parse()
	if *from != "" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		if err := serveRelay(ctx, *from, *to); err != nil {
			fmt.Fprintln(os.Stderr, "bench/overhead: the relay:", err)
		}
		return
	}
	benchkit.Main("bench/overhead", func(ctx context.Context) error { return run(ctx, o) })
}

// caller is a way to call the stub engine.
type caller interface {
	// unary reads an answer of one token.
	unary(ctx context.Context) error
	// stream reads an answer of n tokens.
	stream(ctx context.Context, n int) error
}

const serverConfig = `
log: {level: warn}
engines:
  fault: {command: [%q]}
models:
  stub: {engine: fault, path: %q, memory_mb: 100, max_concurrency: 8}
tasks:
  chat: {primary: stub}
`

func run(ctx context.Context, o options) error {
	engine, err := filepath.Abs(o.engine)
	if err != nil {
		return err
	}
	g, err := benchkit.StartServer(ctx, os.Stderr, o.server, fmt.Sprintf(serverConfig, engine, engine))
	if err != nil {
		return err
	}
	defer g.Stop()
	if err := g.Load(ctx, "stub"); err != nil {
		return err
	}
	host := plugin.NewClient(&plugin.ClientConfig{
		Cmd:              exec.Command(engine),
		HandshakeConfig:  engines.Handshake(),
		Plugins:          engines.HostPlugins(),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.NewNullLogger(),
	})
	defer host.Kill()
	w, err := loaded(ctx, host)
	if err != nil {
		return err
	}
	between, conn, err := startRelay(ctx, host.ReattachConfig().Addr)
	if err != nil {
		return err
	}
	defer between.Stop()
	defer func() { _ = conn.Close() }()
	return compare(ctx, o,
		&side{name: "server", caller: viaServer{gatewayv1.NewModelGatewayServiceClient(g.Conn)}, pid: g.PID()},
		&side{name: "a bare relay", caller: direct{enginev1.NewEngineClient(conn)}, pid: between.PID()},
		&side{name: "a direct call", caller: direct{w}, pid: os.Getpid()})
}

// loaded starts the engine's process and loads its model.
func loaded(ctx context.Context, host *plugin.Client) (enginev1.EngineClient, error) {
	conn, err := host.Client()
	if err != nil {
		return nil, err
	}
	dispensed, err := conn.Dispense(engines.PluginName)
	if err != nil {
		return nil, err
	}
	w := dispensed.(enginev1.EngineClient)
	_, err = engines.AwaitLoad(ctx, w, &enginev1.LoadRequest{ThreadCount: 1, MaxConcurrency: 8}, nil)
	return w, err
}

// side is one of the compared ways. Processor time is that of a process: of what is
// between client and engine, or of the client itself.
type side struct {
	caller      caller
	name        string
	pid         int
	calls       benchkit.Series // µs
	tokens      benchkit.Series
	callsSpent  float64 // processor seconds
	tokensSpent float64
}

// compare measures the sides. The last calls the engine directly.
func compare(ctx context.Context, o options, sides ...*side) error {
	r := report.New("overhead", "Time of a call through the server, and directly", o.server)
	r.Setting("%d rounds of %d calls and %d tokens", o.rounds, o.calls, o.tokens)
	for round := range o.rounds + 1 {
		for k := range sides {
			s := sides[(k+round)%len(sides)]
			if round == 0 {
				measured := *s // warm-up
				s = &measured
			}
			if err := s.measure(ctx, o); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	add(r, "unary call", sides, func(s *side) benchkit.Series { return s.calls })
	add(r, "streamed token", sides, func(s *side) benchkit.Series { return s.tokens })
	for _, s := range sides {
		who := s.name
		if s.pid == os.Getpid() {
			who = "client"
		}
		fmt.Printf("processor time, µs: %-12s %.0f a call, %.2f a token\n", who,
			s.callsSpent*1e6/float64(o.rounds*o.calls), s.tokensSpent*1e6/float64(o.rounds*o.tokens))
	}
	return r.Write()
}

// add compares the server, which is the first side, with the others.
func add(r *report.Report, what string, sides []*side, of func(*side) benchkit.Series) {
	server := of(sides[0])
	// A call takes a hundred times as long as a token: each has its own scale.
	unit := report.Unit{Name: "µs for each " + what, Better: report.Lower}
	for _, s := range sides[1:] {
		r.Compare("beside "+s.name, unit, s.name, server, of(s))
	}
}

// measure makes one round of calls.
func (s *side) measure(ctx context.Context, o options) error {
	took, spent, err := s.timed(func() error {
		for range o.calls {
			if err := s.caller.unary(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.calls.Add(benchkit.Micros(took) / float64(o.calls))
	s.callsSpent += spent
	took, spent, err = s.timed(func() error { return s.caller.stream(ctx, o.tokens) })
	s.tokens.Add(benchkit.Micros(took) / float64(o.tokens))
	s.tokensSpent += spent
	return err
}

// timed returns how long f took, and the processor seconds of the side's process.
func (s *side) timed(f func() error) (took time.Duration, spent float64, err error) {
	before, err := benchkit.CPUSeconds(s.pid)
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	if err := f(); err != nil {
		return 0, 0, err
	}
	took = time.Since(start)
	after, err := benchkit.CPUSeconds(s.pid)
	return took, after - before, err
}

// message makes the stub engine answer with n tokens.
func message(n int) []*gatewayv1.ChatMessage {
	return []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, Content: fmt.Sprintf(`fault: {"token_count": %d}`, n)}}
}

type viaServer struct {
	client gatewayv1.ModelGatewayServiceClient
}

func (g viaServer) unary(ctx context.Context) error {
	_, err := g.client.Chat(ctx, &gatewayv1.ChatRequest{Messages: message(1)})
	return err
}

func (g viaServer) stream(ctx context.Context, n int) error {
	stream, err := g.client.StreamChat(ctx, &gatewayv1.StreamChatRequest{Messages: message(n)})
	for err == nil {
		_, err = stream.Recv()
	}
	return ended(err)
}

type direct struct {
	worker enginev1.EngineClient
}

func (d direct) unary(ctx context.Context) error { return d.stream(ctx, 1) }

func (d direct) stream(ctx context.Context, n int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := d.worker.Run(ctx)
	if err != nil {
		return err
	}
	request := &enginev1.RunRequest{Payload: &enginev1.RunRequest_Chat{Chat: &gatewayv1.ChatRequest{Messages: message(n)}}}
	if err := stream.Send(request); err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for err == nil {
		_, err = stream.Recv()
	}
	return ended(err)
}

func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
