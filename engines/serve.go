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
	// closeTimeout is how long a worker may take to close its model after SIGTERM. The
	// server may kill it earlier.
	closeTimeout = 10 * time.Second

	// orphanTimeout is the same for a worker whose server is gone.
	orphanTimeout = time.Second

	// parentInterval is how often a worker checks that its parent still exists. It
	// matters for hosts that end before they open Watch and that did not set a
	// parent-death signal.
	parentInterval = time.Second
)

// Serve runs an engine as a worker process and exits when the worker has to end. It
// is all that the main function of an engine calls. For a person who starts the
// program in a terminal it prints what the program is.
//
// Logs written with log/slog go to the server's log. Never log the text of users.
func Serve(e Engine) {
	if code, done := runInTerminal(e, os.Args, os.Getenv(cookieKey) == cookieValue, os.Stdout, os.Stderr); done {
		os.Exit(code)
	}
	// Ctrl-C in the server's terminal goes to the workers too. The server decides when
	// they end.
	signal.Ignore(os.Interrupt)
	// go-plugin replaces os.Stderr by a stream over gRPC. Logs go to the process's own
	// standard error, whose content survives a crash.
	log := newLogger(os.Stderr)
	slog.SetDefault(log)
	os.Exit(serve(e, log))
}

// serve runs the worker until it has to end, and returns its exit code.
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
	case <-s.lifetime.Done(): // the Watch stream ended
		orphan = true
	case <-orphaned():
		orphan = true
	case <-served:
	}
	timeout := closeTimeout
	if orphan {
		timeout = orphanTimeout
	}
	if !s.shutdown(timeout) {
		log.Warn("the model did not close in time", "timeout", timeout)
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
		grpc.StaticStreamWindowSize(StreamWindow),
		grpc.StaticConnWindowSize(ConnWindow),
	)...)
}

// orphaned returns a channel that is closed when the parent of the process ends.
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

// newLogger returns a logger that writes the JSON that hosts with go-plugin read.
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

// runInTerminal answers a person who starts the program in a terminal. done is false
// if a server started it.
func runInTerminal(e Engine, args []string, hosted bool, stdout, stderr io.Writer) (code int, done bool) {
	name := filepath.Base(args[0])
	const usage = "%s is an engine of ModelGateway. The server starts it to run a model; it is not meant to be started by hand.\n" +
		"To start the server: modelgateway serve\n" +
		"To see the version, tasks and libraries of this engine: %s --version\n"
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
