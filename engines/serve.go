package engines

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

const (
	// closeBound is how long a worker that was asked to end may take. The
	// gateway kills it earlier if it wants to.
	closeBound = 10 * time.Second

	// orphanBound is the same for a worker whose gateway is gone.
	orphanBound = time.Second

	// parentInterval is how often a worker looks whether its parent lives: for
	// hosts that die before they open Watch, where the kernel's parent-death
	// signal was not asked for.
	parentInterval = time.Second
)

// Serve runs an engine as a worker process and exits when its life is over; it
// is all that an engine's main does. Started by hand, it says what it is.
//
// Logs written with log/slog reach the gateway's log. Never log what users
// said.
func Serve(e Engine) {
	if code, done := byHand(e, os.Args, os.Getenv(cookieKey) == cookieValue, os.Stdout, os.Stderr); done {
		os.Exit(code)
	}
	// The gateway's terminal sends Ctrl-C to it, and it decides.
	signal.Ignore(os.Interrupt)
	// go-plugin replaces os.Stderr by a stream over gRPC; logs stay on the
	// process's own, which survives a crash.
	log := newLogger(os.Stderr)
	slog.SetDefault(log)
	os.Exit(serve(e, log))
}

// serve runs the worker until its life is over and returns its exit code.
func serve(e Engine, log *slog.Logger) int {
	s := newServer(e, log)
	terminated, release := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer release()
	var orphan bool
	served := make(chan struct{})
	go func() {
		defer close(served)
		plugin.Serve(&plugin.ServeConfig{
			HandshakeConfig: Handshake(),
			Plugins:         plugin.PluginSet{PluginName: &grpcPlugin{service: s}},
			GRPCServer:      newGRPCServer,
			Logger:          hclog.New(&hclog.LoggerOptions{Output: os.Stderr, JSONFormat: true, Level: hclog.Warn}),
		})
	}()
	select {
	case <-terminated.Done():
	case <-s.life.Done(): // the Watch stream ended
		orphan = true
	case <-orphaned():
		orphan = true
	case <-served:
	}
	bound := closeBound
	if orphan {
		bound = orphanBound
	}
	if !s.shutdown(bound) {
		log.Warn("the model did not close in time", "bound", bound)
		if !orphan {
			return 1
		}
	}
	return 0
}

func newGRPCServer(opts []grpc.ServerOption) *grpc.Server {
	return grpc.NewServer(append(opts,
		grpc.MaxRecvMsgSize(MaxMessageBytes),
		grpc.MaxSendMsgSize(MaxMessageBytes),
	)...)
}

// orphaned is closed when the process has another parent than it began with.
func orphaned() <-chan struct{} {
	gone := make(chan struct{})
	parent := os.Getppid()
	go func() {
		for range time.Tick(parentInterval) {
			if os.Getppid() != parent {
				close(gone)
				return
			}
		}
	}()
	return gone
}

// newLogger writes the JSON that go-plugin's hosts read as structured logs.
func newLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) > 0 {
				return a
			}
			switch a.Key {
			case slog.TimeKey:
				return slog.String("@timestamp", a.Value.Time().Format(hclog.TimeFormatJSON))
			case slog.LevelKey:
				return slog.String("@level", strings.ToLower(a.Value.String()))
			case slog.MessageKey:
				return slog.Attr{Key: "@message", Value: a.Value}
			}
			return a
		},
	}))
}

// byHand answers a person at a terminal. done is false for a start by a gateway.
func byHand(e Engine, args []string, hosted bool, stdout, stderr io.Writer) (code int, done bool) {
	name := filepath.Base(args[0])
	const usage = "%s is a worker of ModelGateway: the gateway starts it to run a model.\n" +
		"Start the gateway with: modelgateway serve\n" +
		"What is built in here: %s --version\n"
	switch {
	case len(args) == 2 && (args[1] == "--version" || args[1] == "-version"):
		writeVersion(stdout, e.Describe())
		return 0, true
	case len(args) == 2 && (args[1] == "--help" || args[1] == "-help" || args[1] == "-h"):
		fmt.Fprintf(stdout, usage, name, name)
		return 0, true
	case !hosted:
		fmt.Fprintf(stderr, usage, name, name)
		return 2, true
	}
	return 0, false
}

func writeVersion(w io.Writer, d Description) {
	fmt.Fprintf(w, "%s %s\n", d.Name, d.Version)
	tasks := make([]string, len(d.Tasks))
	for i, t := range d.Tasks {
		tasks[i] = TaskName(t)
	}
	fmt.Fprintf(w, "tasks: %s\ndevices: %s\n", strings.Join(tasks, ", "), strings.Join(d.Devices, ", "))
	for _, lib := range slices.Sorted(maps.Keys(d.Libraries)) {
		fmt.Fprintf(w, "%s %s\n", lib, d.Libraries[lib])
	}
}
