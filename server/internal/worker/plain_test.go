package worker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

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
}

func (plainEngine) Describe(context.Context, *enginev1.DescribeRequest) (*enginev1.DescribeResponse, error) {
	return &enginev1.DescribeResponse{Name: "plain", Version: "1"}, nil
}

func (plainEngine) Load(_ *enginev1.LoadRequest, stream enginev1.Engine_LoadServer) error {
	return errors.Join(
		stream.Send(&enginev1.LoadResponse{Progress: 0.5}),
		stream.Send(&enginev1.LoadResponse{Progress: 1, Ready: true}),
	)
}

func (plainEngine) Watch(_ *enginev1.WatchRequest, stream enginev1.Engine_WatchServer) error {
	<-stream.Context().Done()
	os.Exit(0)
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
	enginev1.RegisterEngineServer(server, plainEngine{})
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
