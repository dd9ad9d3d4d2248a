package server

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// A server is ready when its models are: no request waits for their load. A model
// that cannot be loaded does not prevent that.
func TestPreloadedModelsAreReadyFirst(t *testing.T) {
	broken := "  broken: {engine: fault, path: qwen.bin, preload: true, parameters: {load_fault: error}}\n"
	yaml := strings.Replace(faultModels, "models:\n", "models:\n"+broken, 1)
	yaml = strings.Replace(yaml, "threads: 1,", "threads: 1, preload: true,", 1)
	r := start(t, yaml)
	resp, err := r.chat.Chat(within(t, time.Minute), &gatewayv1.ChatRequest{Messages: say("Hello")})
	if err != nil || resp.GetServedBy().GetLoadDuration().AsDuration() != 0 {
		t.Errorf("the first request: %v, %v", resp, err)
	}
	if m := model(t, r, "qwen"); m.GetLoadCount() != 1 {
		t.Errorf("loads: %v", m)
	}
	if m := model(t, r, "broken"); m.GetState() != gatewayv1.ModelState_MODEL_STATE_FAILED {
		t.Errorf("the model that cannot be loaded: %v", m)
	}
	if resp, body := r.get(t, "/readyz"); resp.StatusCode != http.StatusOK {
		t.Errorf("readyz: %d %s", resp.StatusCode, body)
	}
	for service, want := range map[string]bool{"": true, "chat": true, "explain_vietnamese": true, "nothing": false} {
		resp, err := healthpb.NewHealthClient(r.conn).Check(within(t, time.Minute), &healthpb.HealthCheckRequest{Service: service})
		if (resp.GetStatus() == healthpb.HealthCheckResponse_SERVING) != want {
			t.Errorf("health of %q: %v, %v", service, resp, err)
		}
	}
}

// Behind a proxy, every answer says which server gave it.
func TestAnswersNameTheirServer(t *testing.T) {
	const address = "10.0.0.5:50051"
	r := start(t, "advertise: "+address+"\n"+faultModels)
	var header, failed metadata.MD
	resp, err := r.chat.Chat(within(t, time.Minute), &gatewayv1.ChatRequest{Messages: say("Hello")}, grpc.Header(&header))
	if err != nil || resp.GetServedBy().GetInstance() != address || header.Get("mg-endpoint")[0] != address {
		t.Errorf("%v, %v, %v", resp, header, err)
	}
	_, err = r.admin.GetModel(within(t, time.Minute), &gatewayv1.GetModelRequest{Name: "nothing"}, grpc.Header(&failed))
	if err == nil || len(failed.Get("mg-endpoint")) != 1 {
		t.Errorf("an error: %v, %v", failed, err)
	}
	stream, err := r.chat.StreamChat(within(t, time.Minute), &gatewayv1.StreamChatRequest{Messages: say("Hello")})
	if err != nil {
		t.Fatal(err)
	}
	if header, err := stream.Header(); err != nil || len(header.Get("mg-endpoint")) != 1 {
		t.Errorf("a stream: %v, %v", header, err)
	}
	for _, path := range []string{"/v1/status", "/healthz", "/nothing"} {
		if resp, body := r.get(t, path); resp.Header.Get("Mg-Endpoint") != address {
			t.Errorf("%s: %v %s", path, resp.Header, body)
		}
	}
	status, err := r.chat.Status(within(t, time.Minute), &gatewayv1.StatusRequest{})
	if err != nil || status.GetInstance() != address {
		t.Errorf("%v, %v", status, err)
	}
}
