package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/alecthomas/kong"
	"github.com/mattn/go-isatty"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
)

// globals are the flags of every command that calls a server.
type globals struct {
	Addr    string        `help:"Server's gRPC address." default:"127.0.0.1:50051" env:"MODELGATEWAY_ADDR"`
	JSON    bool          `name:"json" help:"Print JSON: one object, or one per line for streams."`
	Timeout time.Duration `help:"Give up after this long; 0 waits for ever." default:"5m"`
}

// cli is the command line.
type cli struct {
	globals

	Serve      serveCommand      `cmd:"" help:"Run the server."`
	Status     statusCommand     `cmd:"" help:"Show the server's memory, threads and models."`
	Models     modelsCommand     `cmd:"" help:"List the models, or follow what happens to them."`
	Load       loadCommand       `cmd:"" help:"Load a model ahead of its first request."`
	Unload     unloadCommand     `cmd:"" help:"Unpin and unload a model."`
	Plan       planCommand       `cmd:"" help:"Tell whether a model would fit, and who would go for it."`
	Chat       chatCommand       `cmd:"" help:"Chat: one message, or a conversation without one."`
	Grammar    grammarCommand    `cmd:"" help:"Correct English text."`
	Respond    respondCommand    `cmd:"" help:"Answer a learner as their tutor."`
	Explain    explainCommand    `cmd:"" help:"Explain English in Vietnamese."`
	Transcribe transcribeCommand `cmd:"" help:"Turn a recording, or live speech, into text."`
	Synthesize synthesizeCommand `cmd:"" help:"Speak a text: into a file, or to a player."`
	Pronounce  pronounceCommand  `cmd:"" help:"Score how well a text was read aloud."`
	Pull       pullCommand       `cmd:"" help:"Download a published model, or list what can be had."`
	Doctor     doctorCommand     `cmd:"" help:"Check engines, models, memory, permissions and ports."`
	Version    versionCommand    `cmd:"" help:"Print versions."`
}

const description = `ModelGateway serves chat, grammar and speech models under a memory budget.

Exit codes: 0 done, 1 failed, 2 wrong request, 3 no server, 4 not found,
5 cannot be served as configured, 6 busy, 7 too late, 8 not allowed, 130 interrupted.`

// console is where a command reads and writes.
type console struct {
	in         io.Reader
	out, err   io.Writer
	inTTY      bool // in is a terminal
	outTTY     bool // out is a terminal
	errTTY     bool // err is a terminal
	plainColor bool // colours are not wanted
}

func terminal() *console {
	return &console{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		inTTY:      isatty.IsTerminal(os.Stdin.Fd()),
		outTTY:     isatty.IsTerminal(os.Stdout.Fd()),
		errTTY:     isatty.IsTerminal(os.Stderr.Fd()),
		plainColor: os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb",
	}
}

// run parses the arguments and runs the command. It returns the exit code.
func run(ctx context.Context, args []string, con *console, build Build) int {
	var c cli
	exit := -1
	parser, err := kong.New(&c,
		kong.Name("modelgateway"),
		kong.Description(description),
		kong.Writers(con.out, con.err),
		kong.Exit(func(code int) { exit = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(con, &c.globals, build),
	)
	if err != nil {
		panic(err) // the command line's own definition is wrong
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if exit >= 0 {
		return exit // --help
	}
	if err != nil {
		fmt.Fprintf(con.err, "modelgateway: %v\nRun \"modelgateway --help\" for the commands.\n", err)
		return exitUsage
	}
	return report(parsed.Run(), &c.globals, con)
}

// usageError is a wrong command line that the parser could not see.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errQuiet ends a command that has said itself what is wrong.
var errQuiet = errors.New("failed")

// withClient runs a call of the server under the command's deadline.
func (g *globals) withClient(ctx context.Context, call func(context.Context, *modelgateway.Client) error) error {
	client, err := g.client()
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	ctx, cancel := g.deadline(ctx)
	defer cancel()
	return call(ctx, client)
}

func (g *globals) client() (*modelgateway.Client, error) {
	if err := checkAddr(g.Addr); err != nil {
		return nil, err
	}
	client, err := modelgateway.New(g.Addr)
	if err != nil {
		return nil, usageError{err}
	}
	return client, nil
}

// checkAddr refuses what can be no server's address. The gRPC library would try
// to resolve it, and what fails so looks like a server that does not run.
func checkAddr(addr string) error {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok && path != "" || strings.Contains(addr, ":///") {
		return nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" || strings.ContainsFunc(host+port, unicode.IsSpace) {
		return usagef("--addr is %q: it must be host:port or unix:/path", addr)
	}
	return nil
}

func (g *globals) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if g.Timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, g.Timeout)
}
