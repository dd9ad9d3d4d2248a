package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
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
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// globals are the flags of every command that calls a server.
type globals struct {
	Addr    string        `help:"gRPC address of the server." default:"${addr}" env:"MODELGATEWAY_ADDR"`
	APIKey  string        `name:"api-key" help:"API key. Better in the environment: other users of the machine can read command lines." placeholder:"KEY" env:"MODELGATEWAY_API_KEY"`
	TLS     bool          `name:"tls" help:"The server has a TLS certificate that this machine trusts."`
	TLSCA   string        `name:"tls-ca" help:"The server has a TLS certificate of this authority (PEM file)." placeholder:"FILE" env:"MODELGATEWAY_TLS_CA"`
	TLSCert string        `name:"tls-cert" help:"Certificate of this client, if the server wants one (PEM file)." placeholder:"FILE" env:"MODELGATEWAY_TLS_CERT"`
	TLSKey  string        `name:"tls-key" help:"Private key of --tls-cert (PEM file). Default: in the same file." placeholder:"FILE" env:"MODELGATEWAY_TLS_KEY"`
	JSON    bool          `name:"json" help:"Print JSON: one object, or one object per line for streams."`
	Timeout time.Duration `help:"Give up after this long; 0 means no limit." default:"5m"`

	secure *tls.Config // of a server of this machine, without --tls and --tls-ca
}

// cli is the command line.
type cli struct {
	globals

	Serve      serveCommand      `cmd:"" help:"Run the server."`
	Status     statusCommand     `cmd:"" help:"Show the server's memory, threads and models."`
	Health     healthCommand     `cmd:"" help:"Report whether the server serves; the exit code says so too."`
	Models     modelsCommand     `cmd:"" help:"List the models, or watch their state changes."`
	Load       loadCommand       `cmd:"" help:"Load a model before its first request."`
	Unload     unloadCommand     `cmd:"" help:"Unload a model, and unpin it."`
	Plan       planCommand       `cmd:"" help:"Show whether a model would fit and what would be unloaded."`
	Chat       chatCommand       `cmd:"" help:"Send a chat message, or hold a conversation."`
	Grammar    grammarCommand    `cmd:"" help:"Correct English text."`
	Respond    respondCommand    `cmd:"" help:"Reply to a learner in the role of a tutor."`
	Explain    explainCommand    `cmd:"" help:"Explain English text in Vietnamese."`
	Transcribe transcribeCommand `cmd:"" help:"Transcribe a recording or live speech."`
	Synthesize synthesizeCommand `cmd:"" help:"Convert text to speech."`
	Voices     voicesCommand     `cmd:"" help:"List the voices that can speak."`
	Pronounce  pronounceCommand  `cmd:"" help:"Score the pronunciation of a text that was read aloud."`
	Pull       pullCommand       `cmd:"" help:"Download published models, or list them."`
	Import     importCommand     `cmd:"" help:"Convert a Whisper model of CTranslate2 or Hugging Face."`
	Keys       keysCommand       `cmd:"" help:"Make, list and revoke API keys."`
	Doctor     doctorCommand     `cmd:"" help:"Check the configuration, engines, models, memory and ports."`
	Version    versionCommand    `cmd:"" help:"Print version information."`
}

const description = `ModelGateway serves chat, grammar and speech models under a memory budget.

Exit codes: 0 success, 1 failure, 2 invalid command line or request, 3 server not
reachable, 4 not found, 5 model cannot run as configured, 6 temporarily unavailable,
7 timed out, 8 not permitted, 130 interrupted.`

// console is where a command reads its input and writes its output.
type console struct {
	in       io.Reader
	out, err io.Writer
	inTTY    bool // in is a terminal
	outTTY   bool // out is a terminal
	errTTY   bool // err is a terminal
	noColor  bool // the user does not want colours
}

func terminal() *console {
	return &console{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		inTTY:   isatty.IsTerminal(os.Stdin.Fd()),
		outTTY:  isatty.IsTerminal(os.Stdout.Fd()),
		errTTY:  isatty.IsTerminal(os.Stderr.Fd()),
		noColor: os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb",
	}
}

// run parses the arguments, runs the command and returns the exit code.
func run(ctx context.Context, args []string, con *console, build Build) int {
	var c cli
	exit := -1
	parser, err := kong.New(&c,
		kong.Name("modelgateway"),
		kong.Description(description),
		kong.Vars{"addr": defaultAddr()},
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
		return exit // after --help
	}
	if err != nil {
		fmt.Fprintf(con.err, "modelgateway: %v\nRun \"%s --help\" for help.\n", err, commandName(err))
		return exitUsage
	}
	return report(parsed.Run(), &c.globals, con)
}

// defaultAddr returns the address of the server that listens as the environment says.
// The health check of a container has the server's environment.
func defaultAddr() string {
	if listen := strings.TrimSpace(os.Getenv("MODELGATEWAY_GRPC_LISTEN")); listen != "" {
		return config.DialAddress(listen)
	}
	return "127.0.0.1:50051"
}

// commandName returns the program and the command that a parse error is about.
func commandName(err error) string {
	name := "modelgateway"
	var parseError *kong.ParseError
	if errors.As(err, &parseError) && parseError.Context.Selected() != nil {
		name += " " + parseError.Context.Selected().Path()
	}
	return name
}

// usageError is a mistake in the command line that the parser cannot detect.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errReported is the error of a command that has already printed what is wrong.
var errReported = errors.New("failed")

// withClient runs call with a client of the server and the command's deadline.
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
	// The command shows what happens, and its flags say how long it may take.
	options := []modelgateway.Option{modelgateway.WithTimeout(0), modelgateway.WithRetry(modelgateway.Retry{Attempts: 1})}
	if g.APIKey != "" {
		options = append(options, modelgateway.WithAPIKey(g.APIKey))
	}
	secure, err := g.transport()
	if err != nil {
		return nil, err
	}
	if secure != nil {
		options = append(options, modelgateway.WithTLS(secure))
	}
	client, err := modelgateway.New(g.Addr, options...)
	if err != nil {
		return nil, usageError{err}
	}
	return client, nil
}

// transport returns the transport security of the flags; nil: none. Without --tls-ca the
// authorities are those that the machine trusts.
func (g *globals) transport() (*tls.Config, error) {
	secure := g.secure
	if g.TLS || g.TLSCA != "" {
		secure = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if g.TLSCA != "" {
		text, err := os.ReadFile(g.TLSCA)
		if err != nil {
			return nil, usagef("--tls-ca: %v", err)
		}
		secure.RootCAs = x509.NewCertPool()
		if !secure.RootCAs.AppendCertsFromPEM(text) {
			return nil, usagef("--tls-ca: %s has no certificate in PEM form", g.TLSCA)
		}
	}
	switch {
	case g.TLSCert == "" && g.TLSKey != "":
		return nil, usagef("--tls-key needs --tls-cert")
	case g.TLSCert == "":
		return secure, nil
	case secure == nil:
		return nil, usagef("--tls-cert needs --tls, or --tls-ca with the authority of the server's certificate")
	}
	own, err := tls.LoadX509KeyPair(g.TLSCert, cmp.Or(g.TLSKey, g.TLSCert))
	if err != nil {
		return nil, usagef("--tls-cert: cannot use %s: %v", g.TLSCert, err)
	}
	secure.Certificates = []tls.Certificate{own}
	return secure, nil
}

// checkAddr checks the form of an address. The gRPC library would try to resolve
// an invalid one, and the failure would look as if no server were running.
func checkAddr(addr string) error {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok && path != "" || strings.Contains(addr, ":///") {
		return nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" || strings.ContainsFunc(host+port, unicode.IsSpace) {
		return usagef("--addr %q is not an address: use host:port or unix:/path", addr)
	}
	return nil
}

func (g *globals) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if g.Timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, g.Timeout)
}
