package rest

import (
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"

	"connectrpc.com/vanguard"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/bodies"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
)

// RPCPrefixes are the paths below which the transcoder serves RPCs.
func RPCPrefixes() []string {
	return []string{
		"/" + gatewayv1.ModelGatewayService_ServiceDesc.ServiceName + "/",
		"/" + gatewayv1.ModelAdminService_ServiceDesc.ServiceName + "/",
	}
}

// NewTranscoder serves gRPC-Web and Connect over the gRPC server, and gRPC to
// clients that use it on the HTTP port.
func NewTranscoder(server *grpc.Server, limits config.Limits) (http.Handler, error) {
	typed := typedStatuses(limits, server)
	services := []*vanguard.Service{
		vanguard.NewService(gatewayv1.ModelGatewayService_ServiceDesc.ServiceName, typed),
		vanguard.NewService(gatewayv1.ModelAdminService_ServiceDesc.ServiceName, typed),
	}
	// The gRPC server bounds messages; this bounds their longer form in JSON.
	limit := bodies.MaxJSONBytes(limits)
	transcoder, err := vanguard.NewTranscoder(services, vanguard.WithDefaultServiceOptions(
		vanguard.WithTargetProtocols(vanguard.ProtocolGRPC),
		vanguard.WithTargetCodecs(vanguard.CodecProto),
		vanguard.WithNoTargetCompression(),
		vanguard.WithMaxMessageBufferBytes(uint32(limit)), //nolint:gosec // of at most 1024 MiB
	),
		vanguard.WithCodec(newConnectJSON),
		vanguard.WithUnknownHandler(http.HandlerFunc(noRPC)),
	)
	if err != nil {
		return nil, fmt.Errorf("cannot set up gRPC-Web and Connect: %w", err)
	}
	refusing := typedRefusals(transcoder)
	framed := webText(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && media == reply.JSON && strings.EqualFold(params["charset"], "utf-8") {
			r.Header.Set("Content-Type", media) // the transcoder knows one spelling
		}
		if isFramed(r) {
			r = r.WithContext(r.Context())
			r.Body = &frames{ReadCloser: r.Body}
		}
		refusing.ServeHTTP(w, r)
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			reply.MethodNotAllowed(w, r, http.MethodPost)
			return
		}
		// Compressed bytes can become many in memory. bodies.Decompress counts those of
		// a body; the messages in frames would be decompressed where nothing does.
		for _, header := range []string{"Connect-Content-Encoding", "Grpc-Encoding"} {
			if name := r.Header.Get(header); name != "" && name != encoding.Identity {
				reply.Refuse(w, r, http.StatusUnsupportedMediaType, errs.New(errs.InvalidRequest,
					"the messages are compressed (%s: %q): send them uncompressed", header, name))
				return
			}
		}
		framed.ServeHTTP(w, r)
	}), nil
}

// noRPC answers a request that is in none of the protocols, or for no method.
func noRPC(w http.ResponseWriter, r *http.Request) {
	if !slices.ContainsFunc(Methods(), func(m Method) bool { return m.RPCPath == r.URL.Path }) {
		reply.NotFound(w, r)
		return
	}
	reply.Refuse(w, r, http.StatusUnsupportedMediaType, errs.New(errs.InvalidRequest,
		"Content-Type %q is not served here; send %s+proto, %s+proto, application/connect+json, or application/json with the header Connect-Protocol-Version: 1",
		r.Header.Get("Content-Type"), reply.Web, reply.WebText))
}

// isFramed reports whether the body of a request has messages in frames.
func isFramed(r *http.Request) bool {
	media := r.Header.Get("Content-Type")
	return strings.HasPrefix(media, "application/grpc") || strings.HasPrefix(media, "application/connect+")
}

// connectJSON is the transcoder's codec of JSON. Its errors have a reason.
type connectJSON struct{ *vanguard.JSONCodec }

func newConnectJSON(types vanguard.TypeResolver) vanguard.Codec {
	codec := vanguard.NewJSONCodec(types)
	codec.UnmarshalOptions = protojson.UnmarshalOptions{Resolver: types}
	return connectJSON{codec}
}

// Unmarshal implements vanguard.Codec.
func (c connectJSON) Unmarshal(text []byte, msg proto.Message) error {
	if err := UnmarshalJSON(c.UnmarshalOptions, "message", text, msg); err != nil {
		return reply.ConnectError(err)
	}
	return nil
}
