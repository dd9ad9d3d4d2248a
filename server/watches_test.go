package server

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func TestWatchesReportTheShutdownAndDoNotDelayIt(t *testing.T) {
	r := start(t, faultModels)
	ctx := within(t, time.Minute)
	health, err := healthpb.NewHealthClient(r.conn).Watch(ctx, &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if first, err := health.Recv(); err != nil || first.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("%v, %v", first, err)
	}
	models, err := r.admin.WatchModels(ctx, &gatewayv1.WatchModelsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := models.Recv(); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.http+"/v1/models:watch", nil)
	if err != nil {
		t.Fatal(err)
	}
	rest, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer rest.Body.Close()
	lines := bufio.NewScanner(rest.Body)
	if rest.StatusCode != http.StatusOK || !lines.Scan() {
		t.Fatalf("status %d, %v", rest.StatusCode, lines.Err())
	}

	begin := time.Now()
	r.stop()
	if next, err := health.Recv(); err != nil || next.GetStatus() != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("%v, %v", next, err)
	}
	_, err = health.Recv()
	checkStatus(t, err, codes.Unavailable, errs.Draining, true)
	for err = nil; err == nil; {
		_, err = models.Recv()
	}
	if !errors.Is(err, io.EOF) {
		t.Errorf("the watch of models ended with %v", err)
	}
	for lines.Scan() {
	}
	r.end(t)
	if took := time.Since(begin); took >= connectionGrace {
		t.Errorf("the shutdown took %s without any request", took)
	}
}
