package engines

import (
	"context"
	"errors"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

const (
	// PluginName is the name of the engine in go-plugin's set of plugins.
	PluginName = "engine"

	// MaxMessageBytes is the size limit of messages between server and worker: the
	// 64 MiB of audio that the public API accepts, and room for the fields around it.
	MaxMessageBytes = 64<<20 + 1<<20

	// StreamWindow is the window of flow control of a stream between server and worker,
	// in bytes. It is fixed: to find out whether another would be faster, gRPC would
	// send a ping with each message, and wake both processes for it.
	StreamWindow = 64 << 10
	// ConnWindow is that of their connection.
	ConnWindow = 1 << 20

	protocolVersion = 1
	cookieKey       = "MODELGATEWAY_ENGINE"
	cookieValue     = "modelgateway.engine.v1"
)

// Handshake returns what the server and a worker must agree on before they connect.
// An engine in another language prints the line "1|1|unix|SOCKET|grpc" on its
// standard output if the environment has the cookie.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{
		ProtocolVersion:  protocolVersion,
		MagicCookieKey:   cookieKey,
		MagicCookieValue: cookieValue,
	}
}

// HostPlugins returns the set of plugins for a process that starts workers. It
// dispenses an enginev1.EngineClient under PluginName.
func HostPlugins() plugin.PluginSet {
	return plugin.PluginSet{PluginName: &grpcPlugin{}}
}

// grpcPlugin connects go-plugin and the Engine service. In the worker it has a
// service, in the host it has none.
type grpcPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	service enginev1.EngineServer
}

var _ plugin.GRPCPlugin = (*grpcPlugin)(nil)

// GRPCServer implements plugin.GRPCPlugin in the worker.
func (p *grpcPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	if p.service == nil {
		return errors.New("the host does not serve the Engine service; only a worker does")
	}
	enginev1.RegisterEngineServer(s, p.service)
	return nil
}

// GRPCClient implements plugin.GRPCPlugin in the host.
func (p *grpcPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return enginev1.NewEngineClient(c), nil
}
