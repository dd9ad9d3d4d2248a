package benchkit

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Server is a running `modelgateway serve` with its own state folder.
type Server struct {
	*Process
	// Conn is a connection to its gRPC listener.
	Conn *grpc.ClientConn
	// ReadyAfter is the time from its start to its first 200 on /readyz, which is
	// polled every millisecond.
	ReadyAfter time.Duration

	dir string
}

// maxMessage limits the size of a message; recordings are sent in one.
const maxMessage = 64 << 20

// StartServer runs the program with a configuration (YAML; empty: none, and only
// starters, whatever was downloaded) and waits until it is ready.
func StartServer(ctx context.Context, log io.Writer, program, config string) (*Server, error) {
	dir, err := os.MkdirTemp("", "bench-server-")
	if err != nil {
		return nil, err
	}
	g := &Server{dir: dir}
	if err := g.start(ctx, log, program, config); err != nil {
		g.Stop()
		return nil, err
	}
	return g, nil
}

func (g *Server) start(ctx context.Context, log io.Writer, program, config string) error {
	grpcAddr, err := FreeAddr()
	if err != nil {
		return err
	}
	httpAddr, err := FreeAddr()
	if err != nil {
		return err
	}
	args := []string{"serve", "--state-dir", filepath.Join(g.dir, "state"), "--grpc-listen", grpcAddr, "--http-listen", httpAddr}
	if config == "" {
		args = append(args, "--starters-only")
	} else {
		file := filepath.Join(g.dir, "config.yaml")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			return err
		}
		args = append(args, "--config", file)
	}
	if g.Process, err = Start(log, []string{"MODELGATEWAY_DEBUGGABLE=true"}, program, args...); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if g.ReadyAfter, err = g.WaitHTTP(ctx, "http://"+httpAddr+"/readyz", time.Millisecond); err != nil {
		return err
	}
	g.Conn, err = grpc.NewClient(grpcAddr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(maxMessage), grpc.MaxCallRecvMsgSize(maxMessage)))
	return err
}

// Load loads and pins a model.
func (g *Server) Load(ctx context.Context, model string) error {
	stream, err := gatewayv1.NewModelAdminServiceClient(g.Conn).LoadModel(ctx, &gatewayv1.LoadModelRequest{Name: model, Pin: true})
	for err == nil {
		_, err = stream.Recv()
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// Model returns the state of a model.
func (g *Server) Model(ctx context.Context, name string) (*gatewayv1.Model, error) {
	got, err := gatewayv1.NewModelAdminServiceClient(g.Conn).GetModel(ctx, &gatewayv1.GetModelRequest{Name: name})
	return got.GetModel(), err
}

// Unload unloads a model and waits until its process has ended.
func (g *Server) Unload(ctx context.Context, name string) error {
	_, err := gatewayv1.NewModelAdminServiceClient(g.Conn).UnloadModel(ctx, &gatewayv1.UnloadModelRequest{Name: name})
	return err
}

// Stop ends the server and removes its state.
func (g *Server) Stop() {
	if g.Conn != nil {
		_ = g.Conn.Close()
	}
	if g.Process != nil {
		g.Process.Stop()
	}
	_ = os.RemoveAll(g.dir)
}
