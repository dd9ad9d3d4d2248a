package engines

import (
	"context"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// pipeBuffer is what the connection to an engine in the same process holds.
const pipeBuffer = 1 << 20

// InProcess is an engine that is served in the caller's own process, over a
// connection in memory: for engines that have no native code to be kept apart
// from, such as those that ask a service elsewhere. It keeps the same order of
// calls as a worker process. Make one with ServeInProcess.
type InProcess struct {
	server *server
	grpc   *grpc.Server
	conn   *grpc.ClientConn
	served chan struct{} // closed when the gRPC server has ended
}

// ServeInProcess serves an engine until Stop. A panic in a method of the engine
// costs that call; one in a goroutine that the engine started itself ends the
// process, so such an engine starts none that could.
func ServeInProcess(e Engine, log *slog.Logger) (*InProcess, error) {
	p := &InProcess{server: newServer(e, log), served: make(chan struct{})}
	pipe := bufconn.Listen(pipeBuffer)
	p.grpc = newGRPCServer([]grpc.ServerOption{grpc.UnaryInterceptor(p.guard)})
	enginev1.RegisterEngineServer(p.grpc, p.server)
	var err error
	p.conn, err = grpc.NewClient("passthrough:///engine",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessageBytes), grpc.MaxCallSendMsgSize(MaxMessageBytes)),
	)
	if err != nil {
		return nil, err
	}
	go func() {
		defer close(p.served)
		if err := p.grpc.Serve(pipe); err != nil {
			log.Error("the engine's connection in memory failed", "error", err)
		}
	}()
	return p, nil
}

// guard is for the calls that have no guard of their own: a panic in them is
// INTERNAL.
func (p *InProcess) guard(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	defer p.server.recovered(info.FullMethod, &err)
	return next(ctx, req)
}

// Client speaks to the engine.
func (p *InProcess) Client() enginev1.EngineClient { return enginev1.NewEngineClient(p.conn) }

// WorkCount is the number of units of work done, load progress included.
func (p *InProcess) WorkCount() uint64 { return p.server.work.Count() }

// Stop cancels the calls under way, waits for them, and closes the model. Calls
// that begin after that fail with DRAINING. It returns false if the engine was
// not done within the bound: there is no process to end, so that what it holds
// stays until it lets go. It is called once.
func (p *InProcess) Stop(bound time.Duration) bool {
	closed := p.server.shutdown(bound)
	_ = p.conn.Close() // it can only say that it is closed already
	if !closed {
		go p.grpc.Stop() // it waits for the calls
		return false
	}
	p.grpc.Stop()
	<-p.served
	return true
}
