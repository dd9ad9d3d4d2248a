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

// pipeBuffer is the buffer of the connection to an engine in the same process, in
// bytes.
const pipeBuffer = 1 << 20

// InProcess is an engine that runs in the caller's process, behind a connection in
// memory. It is for engines without native code, such as the client of a cloud
// service. The order of calls is the same as in a worker process. ServeInProcess
// makes one.
type InProcess struct {
	server *server
	grpc   *grpc.Server
	conn   *grpc.ClientConn
	served chan struct{} // closed when the gRPC server has ended
}

// ServeInProcess serves an engine until Stop. A panic in a method of the engine
// fails that call. A panic in a goroutine that the engine starts ends the process,
// so the engine must recover there.
func ServeInProcess(e Engine, log *slog.Logger) (*InProcess, error) {
	p := &InProcess{server: newServer(e, log), served: make(chan struct{})}
	pipe := bufconn.Listen(pipeBuffer)
	p.grpc = newGRPCServer([]grpc.ServerOption{grpc.UnaryInterceptor(p.recoverPanics)})
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
			log.Error("the connection to the engine in this process failed", "error", err)
		}
	}()
	return p, nil
}

// recoverPanics turns a panic in a unary call into INTERNAL. The streams recover
// themselves.
func (p *InProcess) recoverPanics(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	defer p.server.recoverPanic(info.FullMethod, &err)
	return next(ctx, req)
}

// Client returns the engine's client.
func (p *InProcess) Client() enginev1.EngineClient { return enginev1.NewEngineClient(p.conn) }

// WorkCount returns the number of units of work done, those of the load included.
func (p *InProcess) WorkCount() uint64 { return p.server.work.Count() }

// Stop cancels the current calls, waits for them, and closes the model. Later calls
// fail with DRAINING. It returns false if that takes longer than timeout: the engine
// then keeps its memory until it returns, because there is no process to kill. Stop
// must be called once.
func (p *InProcess) Stop(timeout time.Duration) bool {
	closed := p.server.shutdown(timeout)
	_ = p.conn.Close() // its only error: closed before
	if !closed {
		go p.grpc.Stop() // waits for the calls
		return false
	}
	p.grpc.Stop()
	<-p.served
	return true
}
