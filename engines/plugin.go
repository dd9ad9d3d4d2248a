package engines

import (
	"context"
	"errors"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

const (
	// PluginName is the name under which go-plugin dispenses the engine.
	PluginName = "engine"

	// MaxMessageBytes is the largest message between gateway and worker: the
	// 64 MiB of audio that the public API lets in, and what wraps it.
	MaxMessageBytes = 64<<20 + 1<<20

	protocolVersion = 1
	cookieKey       = "MODELGATEWAY_ENGINE"
	cookieValue     = "modelgateway.engine.v1"
)

// Handshake is what the gateway and a worker must agree on before they speak.
// An engine in another language prints the line "1|1|unix|SOCKET|grpc" on its
// standard output when the environment has the cookie.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{
		ProtocolVersion:  protocolVersion,
		MagicCookieKey:   cookieKey,
		MagicCookieValue: cookieValue,
	}
}

// HostPlugins is the plugin set of a process that hosts workers: it dispenses
// an enginev1.EngineClient under PluginName.
func HostPlugins() plugin.PluginSet {
	return plugin.PluginSet{PluginName: &grpcPlugin{}}
}

// grpcPlugin joins go-plugin and the Engine service; the worker's side has a
// service, the host's has none.
type grpcPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	service enginev1.EngineServer
}

var _ plugin.GRPCPlugin = (*grpcPlugin)(nil)

// GRPCServer implements plugin.GRPCPlugin in the worker.
func (p *grpcPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	if p.service == nil {
		return errors.New("this side of the plugin serves nothing")
	}
	enginev1.RegisterEngineServer(s, p.service)
	return nil
}

// GRPCClient implements plugin.GRPCPlugin in the host.
func (p *grpcPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return enginev1.NewEngineClient(c), nil
}
