package server

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
)

// traces is a collector that keeps the spans that it gets.
type traces struct {
	collector.UnimplementedTraceServiceServer

	mu    sync.Mutex
	spans []*tracepb.Span
}

func (c *traces) Export(_ context.Context, req *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range req.GetResourceSpans() {
		for _, s := range r.GetScopeSpans() {
			c.spans = append(c.spans, s.GetSpans()...)
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

func TestTracesContinueThatOfTheCaller(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	sink, server := &traces{}, grpc.NewServer()
	collector.RegisterTraceServiceServer(server, sink)
	served := make(chan error, 1)
	go func() { served <- server.Serve(lis) }()
	t.Cleanup(func() {
		server.Stop()
		<-served
	})
	r := start(t, faultModels+"telemetry: {otlp_endpoint: \"http://"+lis.Addr().String()+"\"}\n")
	r.post(t, "/v1/chat", userSays, "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	r.end(t)
	var names []string
	for _, s := range sink.spans {
		names = append(names, s.GetName())
		if got := s.GetTraceId(); got[0] != 0x0a || got[15] != 0x9c {
			t.Errorf("span %s belongs to the trace %x", s.GetName(), got)
		}
	}
	slices.Sort(names)
	if want := []string{"acquire", "infer", "modelgateway.v1.ModelGatewayService/Chat"}; !slices.Equal(names, want) {
		t.Errorf("spans %v", names)
	}
}
