// Command overhead measures the time that the server adds to a call: the same
// stub engine (cmd/engine-fault, which needs almost no time) is called through
// the server and directly, by the same client, in interleaved rounds.
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
	"path/filepath"
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
	flag.Parse()
	benchkit.Main("bench/overhead", func(ctx context.Context) error { return run(ctx, o) })
}

// side is one of the two ways to call the stub engine.
type side interface {
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
	return compare(ctx, o, viaServer{gatewayv1.NewModelGatewayServiceClient(g.Conn)}, direct{w})
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

func compare(ctx context.Context, o options, ours, bare side) error {
	r := report.New("overhead", "Time of a call through the server, and directly", o.server)
	r.Setting("%d rounds of %d calls and %d tokens", o.rounds, o.calls, o.tokens)
	sides := []side{ours, bare}
	var unary, token [2]benchkit.Series
	for round := range o.rounds + 1 {
		for k := range sides {
			i := (k + round) % 2
			start := time.Now()
			for range o.calls {
				if err := sides[i].unary(ctx); err != nil {
					return err
				}
			}
			unaryTook := time.Since(start)
			start = time.Now()
			if err := sides[i].stream(ctx, o.tokens); err != nil {
				return err
			}
			if round == 0 {
				continue // warm-up
			}
			unary[i].Add(benchkit.Micros(unaryTook) / float64(o.calls))
			token[i].Add(benchkit.Micros(time.Since(start)) / float64(o.tokens))
		}
	}
	add(r, "unary call", unary)
	add(r, "streamed token", token)
	return r.Write()
}

func add(r *report.Report, what string, s [2]benchkit.Series) {
	added := make(benchkit.Series, len(s[0]))
	for i := range added {
		added[i] = s[0][i] - s[1][i]
	}
	// A call takes a hundred times as long as a token: each has its own scale.
	unit := report.Unit{Name: "µs for each " + what, Better: report.Lower}
	r.Compare("whole", unit, "direct", s[0], s[1])
	r.Measure("added by the server", unit, added)
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
