package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// slowModels is faultModels with a load that takes 400 ms.
var slowModels = strings.Replace(faultModels, "memory_mb: 64, threads: 1", "memory_mb: 64, threads: 1, parameters: {load_ms: 400}", 1)

func model(t *testing.T, r *running, name string) *gatewayv1.Model {
	t.Helper()
	resp, err := r.admin.GetModel(within(t, 5*time.Second), &gatewayv1.GetModelRequest{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetModel()
}

func TestManyFirstRequestsLoadOnce(t *testing.T) {
	r := start(t, slowModels)
	const callers = 200
	failures := make(chan error, callers)
	var group sync.WaitGroup
	for range callers {
		group.Go(func() { failures <- chatOf("", "Hello")(within(t, time.Minute), r) })
	}
	group.Wait()
	close(failures)
	for err := range failures {
		if err != nil {
			t.Error(err)
		}
	}
	if m := model(t, r, "qwen"); m.GetLoadCount() != 1 || m.GetRequestCount() != callers {
		t.Errorf("%d loads, %d requests", m.GetLoadCount(), m.GetRequestCount())
	}
}

func TestLoadContinuesWhenTheFirstCallerCancels(t *testing.T) {
	r := start(t, slowModels)
	ctx, leave := context.WithCancel(context.Background())
	first := make(chan error, 1)
	go func() { first <- chatOf("", "Hello")(ctx, r) }()
	eventually(t, func() bool { return model(t, r, "qwen").GetState() == gatewayv1.ModelState_MODEL_STATE_LOADING })
	second := make(chan error, 1)
	go func() { second <- chatOf("", "Hello")(within(t, time.Minute), r) }()
	eventually(t, func() bool { return model(t, r, "qwen").GetQueuedCount() == 2 })
	leave()
	if err := <-first; status.Code(err) != codes.Canceled {
		t.Errorf("the first caller got %v", err)
	}
	if err := <-second; err != nil {
		t.Errorf("the second caller got %v", err)
	}
	if m := model(t, r, "qwen"); m.GetLoadCount() != 1 {
		t.Errorf("%d loads", m.GetLoadCount())
	}
}

func TestLoadIsCancelledWhenAllCallersCancel(t *testing.T) {
	r := start(t, strings.Replace(slowModels, "load_ms: 400", "load_ms: 60000", 1))
	ctx, leave := context.WithCancel(context.Background())
	done := make(chan error, 2)
	for range 2 {
		go func() { done <- chatOf("", "Hello")(ctx, r) }()
	}
	eventually(t, func() bool {
		m := model(t, r, "qwen")
		return m.GetQueuedCount() == 2 && m.GetWorkerPid() != 0
	})
	pid := int(model(t, r, "qwen").GetWorkerPid())
	leave()
	for range 2 {
		<-done
	}
	eventually(t, func() bool {
		return model(t, r, "qwen").GetState() == gatewayv1.ModelState_MODEL_STATE_UNLOADED && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
	})
}

// longStream opens a stream that would take a minute.
func longStream(t *testing.T, r *running) gatewayv1.ModelGatewayService_StreamChatClient {
	t.Helper()
	stream, err := r.chat.StreamChat(within(t, time.Minute), &gatewayv1.StreamChatRequest{
		Messages: say(`fault: {"token_count":6000,"token_interval_us":10000}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	return stream
}

// drainStream reads a stream to its end and returns the error.
func drainStream(stream gatewayv1.ModelGatewayService_StreamChatClient) error {
	for {
		if _, err := stream.Recv(); err != nil {
			return err
		}
	}
}

func TestKilledWorkerEndsItsStreamsAndIsReplaced(t *testing.T) {
	r := start(t, faultModels)
	streams := []gatewayv1.ModelGatewayService_StreamChatClient{longStream(t, r), longStream(t, r)}
	pid := int(model(t, r, "qwen").GetWorkerPid())
	killed := time.Now()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for _, stream := range streams {
		err := drainStream(stream)
		checkStatus(t, err, codes.Unavailable, errs.EngineCrashed, true)
	}
	if took := time.Since(killed); took > time.Second {
		t.Errorf("the streams ended after %s", took)
	}
	if err := chatOf("", "Hello")(within(t, time.Minute), r); err != nil {
		t.Errorf("the next request got %v", err)
	}
	if now := int(model(t, r, "qwen").GetWorkerPid()); now == pid || now == 0 {
		t.Errorf("the worker is %d, and was %d", now, pid)
	}
	_, body := r.get(t, "/health")
	if !strings.Contains(body, `"loaded_models":["qwen"]`) {
		t.Errorf("health %s", body)
	}
}

func TestBrokenRESTStreamEndsWithAnErrorLine(t *testing.T) {
	r := start(t, faultModels)
	_, body := r.post(t, "/v1/chat:stream", chatBody("", `fault: {"fault":"crash","fault_after_tokens":2,"token_interval_us":100000}`).body)
	lines := strings.Split(strings.TrimSpace(body), "\n")
	var last struct {
		Error struct{ Details []struct{ Reason string } }
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(lines) < 2 ||
		len(last.Error.Details) == 0 || last.Error.Details[0].Reason != "ENGINE_CRASHED" {
		t.Errorf("%v %s", err, body)
	}
}

func TestCancellationReachesTheEngine(t *testing.T) {
	r := start(t, faultModels)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- chatOf("", stalls)(ctx, r) }()
	eventually(t, func() bool { return model(t, r, "qwen").GetActiveCount() == 1 })
	cancel()
	<-done
	eventually(t, func() bool { return model(t, r, "qwen").GetActiveCount() == 0 })
	if m := model(t, r, "qwen"); m.GetState() != gatewayv1.ModelState_MODEL_STATE_READY || m.GetLoadCount() != 1 {
		t.Errorf("the worker was replaced: %v", m)
	}
}

func TestShutdownFinishesRequestsAndRefusesNewOnes(t *testing.T) {
	r := start(t, faultModels)
	health := healthpb.NewHealthClient(r.conn)
	serving := func(service string) healthpb.HealthCheckResponse_ServingStatus {
		resp, err := health.Check(within(t, time.Second), &healthpb.HealthCheckRequest{Service: service})
		if err != nil {
			t.Fatal(err)
		}
		return resp.GetStatus()
	}
	services := []string{"", "modelgateway.v1.ModelGatewayService", "modelgateway.v1.ModelAdminService"}
	for _, s := range services {
		if serving(s) != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("%q does not serve", s)
		}
	}
	if resp, _ := r.get(t, "/readyz"); resp.StatusCode != http.StatusOK {
		t.Errorf("readyz %d", resp.StatusCode)
	}
	stream, err := r.chat.StreamChat(within(t, time.Minute), &gatewayv1.StreamChatRequest{Messages: say(`fault: {"token_count":100,"token_interval_us":10000}`)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	r.stop()
	eventually(t, r.Draining)
	for _, s := range services {
		if serving(s) != healthpb.HealthCheckResponse_NOT_SERVING {
			t.Errorf("%q serves during the shutdown", s)
		}
	}
	eventually(t, func() bool { return model(t, r, "qwen").GetActiveCount() == 1 })
	checkStatus(t, chatOf("", "Hello")(within(t, time.Second), r), codes.Unavailable, errs.Draining, true)
	req := chatBody("", "Hello")
	resp, body := r.post(t, req.path, req.body)
	checkHTTP(t, resp, body, 503, codes.Unavailable, errs.Draining, true)
	if resp, _ := r.get(t, "/readyz"); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("readyz %d", resp.StatusCode)
	}
	if resp, body := r.get(t, "/health"); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, `"status":"draining"`) {
		t.Errorf("health %d %s", resp.StatusCode, body)
	}
	if resp, _ := r.get(t, "/healthz"); resp.StatusCode != http.StatusOK {
		t.Errorf("healthz %d", resp.StatusCode)
	}
	if err := drainStream(stream); !errors.Is(err, io.EOF) {
		t.Errorf("the stream ended with %v", err)
	}
	r.end(t)
}

func TestCloseEndsRequests(t *testing.T) {
	r := start(t, faultModels)
	stream := longStream(t, r)
	pid := int(model(t, r, "qwen").GetWorkerPid())
	if err := r.manager.Close(); err != nil {
		t.Fatal(err)
	}
	checkStatus(t, drainStream(stream), codes.Unavailable, errs.Draining, true)
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the worker still runs: %v", err)
	}
}

func TestReflectionListsTheServices(t *testing.T) {
	r := start(t, faultModels)
	stream, err := reflectionpb.NewServerReflectionClient(r.conn).ServerReflectionInfo(within(t, time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	resp, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, s := range resp.GetListServicesResponse().GetService() {
		names[s.GetName()] = true
	}
	for _, want := range []string{
		"modelgateway.v1.ModelGatewayService", "modelgateway.v1.ModelAdminService", "grpc.health.v1.Health",
		"grpc.channelz.v1.Channelz", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
	} {
		if !names[want] {
			t.Errorf("%s is not listed", want)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Error(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}
