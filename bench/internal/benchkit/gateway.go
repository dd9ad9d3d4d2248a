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

// Gateway is a running `modelgateway serve` with a state folder of its own.
type Gateway struct {
	*Process
	// Conn is a connection to its gRPC listener.
	Conn *grpc.ClientConn
	// ReadyAfter is the time from its start to its first 200 on /readyz, to the
	// millisecond at which that was asked.
	ReadyAfter time.Duration

	dir string
}

// maxMessage bounds a message: clips are sent whole.
const maxMessage = 64 << 20

// StartGateway runs the program with a configuration (YAML; empty: none) and
// waits until it is ready.
func StartGateway(ctx context.Context, log io.Writer, program, config string) (*Gateway, error) {
	dir, err := os.MkdirTemp("", "bench-gateway-")
	if err != nil {
		return nil, err
	}
	g := &Gateway{dir: dir}
	if err := g.start(ctx, log, program, config); err != nil {
		g.Stop()
		return nil, err
	}
	return g, nil
}

func (g *Gateway) start(ctx context.Context, log io.Writer, program, config string) error {
	grpcAddr, err := FreeAddr()
	if err != nil {
		return err
	}
	httpAddr, err := FreeAddr()
	if err != nil {
		return err
	}
	args := []string{"serve", "--state-dir", filepath.Join(g.dir, "state"), "--grpc-listen", grpcAddr, "--http-listen", httpAddr}
	if config != "" {
		file := filepath.Join(g.dir, "config.yaml")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			return err
		}
		args = append(args, "--config", file)
	}
	if g.Process, err = Start(log, nil, program, args...); err != nil {
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
func (g *Gateway) Load(ctx context.Context, model string) error {
	stream, err := gatewayv1.NewModelAdminServiceClient(g.Conn).LoadModel(ctx, &gatewayv1.LoadModelRequest{Name: model, Pin: true})
	for err == nil {
		_, err = stream.Recv()
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// Model tells everything about a model.
func (g *Gateway) Model(ctx context.Context, name string) (*gatewayv1.Model, error) {
	got, err := gatewayv1.NewModelAdminServiceClient(g.Conn).GetModel(ctx, &gatewayv1.GetModelRequest{Name: name})
	return got.GetModel(), err
}

// Unload unloads a model; it returns when its process is gone.
func (g *Gateway) Unload(ctx context.Context, name string) error {
	_, err := gatewayv1.NewModelAdminServiceClient(g.Conn).UnloadModel(ctx, &gatewayv1.UnloadModelRequest{Name: name})
	return err
}

// Stop ends the server and removes its state.
func (g *Gateway) Stop() {
	if g.Conn != nil {
		_ = g.Conn.Close()
	}
	if g.Process != nil {
		g.Process.Stop()
	}
	_ = os.RemoveAll(g.dir)
}
