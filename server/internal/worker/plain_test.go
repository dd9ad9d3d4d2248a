package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// plainEngine is an engine as one in another language may be: it serves only the
// Engine service, none of go-plugin's services, and does not count its load.
type plainEngine struct {
	enginev1.UnimplementedEngineServer
	silent chan struct{} // closed when it ends its Watch stream, but not its process
}

func (plainEngine) Describe(context.Context, *enginev1.DescribeRequest) (*enginev1.DescribeResponse, error) {
	return &enginev1.DescribeResponse{Name: "plain", Version: "1"}, nil
}

func (e plainEngine) Load(_ *enginev1.LoadRequest, stream enginev1.Engine_LoadServer) error {
	if e.silent != nil {
		defer close(e.silent)
	}
	return errors.Join(
		stream.Send(&enginev1.LoadResponse{Progress: 0.5}),
		stream.Send(&enginev1.LoadResponse{Progress: 1, Ready: true}),
	)
}

func (e plainEngine) Watch(_ *enginev1.WatchRequest, stream enginev1.Engine_WatchServer) error {
	select {
	case <-e.silent:
		return nil
	case <-stream.Context().Done():
		os.Exit(0)
	}
	return nil
}

// servePlainEngine is the main function of the engine.
func servePlainEngine() {
	path := filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "plain")
	listener, err := net.Listen("unix", path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("1|1|unix|%s|grpc\n", path)
	server := grpc.NewServer()
	var e plainEngine
	if os.Args[1] == silentArgument {
		e.silent = make(chan struct{})
	}
	enginev1.RegisterEngineServer(server, e)
	if err := server.Serve(listener); err != nil {
		os.Exit(1)
	}
}

func TestEngineWithoutGoPlugin(t *testing.T) {
	h := newHost(t, worker.Options{})
	s := spec(t, nil)
	s.Command = []string{os.Args[0], plainArgument}
	w := launchLoaded(t, h, s)
	if w.Description().GetName() != "plain" || w.WorkCount() != 2 {
		t.Errorf("the engine %v counted %d steps of its load", w.Description(), w.WorkCount())
	}
	_, err := invoke(t, w, "echo", nil)
	if errs.ReasonOf(err) != errs.EngineUnavailable || errs.Code(errs.ReasonOf(err)) != codes.FailedPrecondition {
		t.Errorf("a task that it does not implement ended with %v", err)
	}
	w.Stop(3 * time.Second)
	awaitDone(t, w, time.Second)
}

// TestWorkerThatGoesOnWithoutReports checks that a worker whose Watch stream has ended is
// ended, whatever it does: its own end, a broken connection, a suspension.
func TestWorkerThatGoesOnWithoutReports(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, w worker.Worker){
		"ended its stream":                 func(*testing.T, worker.Worker) {},
		"suspended, its connection broken": func(t *testing.T, w worker.Worker) { w.Suspend(); breakConnections(t, w.PID()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := spec(t, nil)
			if name == "ended its stream" {
				s.Command = []string{os.Args[0], silentArgument}
			}
			w := launchLoaded(t, newHost(t, worker.Options{}), s)
			lose(t, w)
			awaitDone(t, w, time.Minute)
			if err := w.ExitError(); errs.ReasonOf(err) != errs.EngineCrashed || !strings.Contains(err.Error(), "Watch stream") {
				t.Error(err)
			}
		})
	}
}

// breakConnections breaks the connections of a process to the server.
func breakConnections(t *testing.T, pid int) {
	t.Helper()
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(process) }()
	broken := 0
	for number := range 64 {
		fd, err := unix.PidfdGetfd(process, number, 0)
		if err != nil {
			continue // no such descriptor
		}
		if peer, err := unix.Getpeername(fd); err == nil {
			if _, local := peer.(*unix.SockaddrUnix); local && unix.Shutdown(fd, unix.SHUT_RDWR) == nil {
				broken++
			}
		}
		_ = unix.Close(fd)
	}
	if broken == 0 {
		t.Fatal("the worker has no connection")
	}
}

// TestStoppedWorkerHasItsGrace checks that a worker which closes its model slowly, and
// ended its reports before, is not killed earlier than it was told.
func TestStoppedWorkerHasItsGrace(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	h := newHost(t, worker.Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	w := launchLoaded(t, h, spec(t, map[string]any{"close_ms": 2000}))
	w.Stop(time.Minute)
	awaitDone(t, w, time.Minute)
	if !strings.Contains(log.String(), "exit status 0") {
		t.Error(log)
	}
}
