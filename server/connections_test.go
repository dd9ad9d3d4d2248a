package server

import (
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// Connections above the limit are closed at once, and those that end make room.
func TestConnectionsAreLimited(t *testing.T) {
	r := start(t, faultModels+"limits: {max_connections: 3}\n")
	for _, address := range []string{r.GRPCAddr().String(), r.HTTPAddr().String()} {
		var closed atomic.Int32
		var clients []net.Conn
		for range 6 {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			clients = append(clients, conn)
			go func() {
				_, _ = io.Copy(io.Discard, conn)
				closed.Add(1)
			}()
		}
		eventually(t, func() bool { return closed.Load() >= 3 })
		for _, c := range clients {
			_ = c.Close()
		}
	}
	eventually(t, func() bool {
		_, err := r.chat.Status(within(t, time.Minute), &gatewayv1.StatusRequest{})
		resp, getErr := http.Get(r.http + "/healthz") //nolint:noctx // ends with the server
		if getErr == nil {
			_ = resp.Body.Close()
		}
		return err == nil && getErr == nil
	})
}

// The clients at one address get half of the connections.
func TestOneAddressGetsHalfOfTheConnections(t *testing.T) {
	l := limitConnections(nil, config.Limits{MaxConnections: 4}, nil).(*connections)
	for _, c := range []struct {
		address string
		ok      bool
	}{
		{"192.0.2.1", true},
		{"192.0.2.1", true},
		{"192.0.2.1", false},
		{"127.0.0.1", true},
		{"127.0.0.1", true},
		{"192.0.2.2", false},
	} {
		if ok := l.add(l.peerOf(&net.TCPAddr{IP: net.ParseIP(c.address)})); ok != c.ok {
			t.Errorf("%s: %v", c.address, ok)
		}
	}
	l.remove(l.peerOf(&net.TCPAddr{IP: net.ParseIP("192.0.2.1")}))
	if !l.add("192.0.2.1") || l.count != 4 {
		t.Error("a connection that ended made no room")
	}
}

// Watchers are limited in number, over gRPC and REST together, and one caller does not
// get all.
func TestWatchersAreLimited(t *testing.T) {
	r := start(t, faultModels+"limits: {max_watchers: 4}\n")
	other := gatewayv1.NewModelAdminServiceClient(connFrom(t, "127.0.0.2", r.GRPCAddr().String()))
	watch := func(client gatewayv1.ModelAdminServiceClient) error {
		stream, err := client.WatchModels(t.Context(), &gatewayv1.WatchModelsRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		return err
	}
	for range 3 {
		if err := watch(r.admin); err != nil {
			t.Fatal(err)
		}
	}
	checkStatus(t, watch(r.admin), codes.ResourceExhausted, errs.QueueFull, true)
	resp, body := r.get(t, "/v1/models:watch")
	if resp.StatusCode != http.StatusTooManyRequests || !strings.Contains(body, "QUEUE_FULL") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if err := watch(other); err != nil {
		t.Errorf("another address: %v", err)
	}
	checkStatus(t, watch(other), codes.ResourceExhausted, errs.QueueFull, true)
}

// rapidReset opens calls on one connection and resets them at once, until the
// test ends. It returns how many there were.
func rapidReset(t *testing.T, address, method string, request proto.Message) *atomic.Int64 {
	t.Helper()
	return rapidResetFrom(t, "127.0.0.1", address, method, request)
}

// rapidResetFrom is rapidReset from another address of this machine.
func rapidResetFrom(t *testing.T, local, address, method string, request proto.Message) *atomic.Int64 {
	t.Helper()
	message, err := proto.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	var headers []byte
	for _, h := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", method}, {":authority", "localhost"}, {"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		// A literal field without indexing (RFC 7541, section 6.2.2).
		headers = append(append(headers, 0, byte(len(h[0]))), h[0]...)
		headers = append(append(headers, byte(len(h[1]))), h[1]...)
	}
	message = append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...) //nolint:gosec // short
	frame := func(kind, flags byte, stream uint32, payload []byte) []byte {
		head := []byte{0, byte(len(payload) >> 8), byte(len(payload)), kind, flags}
		return append(binary.BigEndian.AppendUint32(head, stream), payload...)
	}
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(local)}}
	conn, err := dialer.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	_, _ = conn.Write(append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0, 0, nil)...))
	var count atomic.Int64
	go func() {
		for id := uint32(1); ; id += 2 {
			call := slices.Concat(frame(1, 4, id, headers), frame(0, 1, id, message), frame(3, 0, id, []byte{0, 0, 0, 8}))
			if _, err := conn.Write(call); err != nil {
				return
			}
			count.Add(1)
		}
	}()
	return &count
}

// A client that resets its calls at once is read slowly: it gets as many calls as
// the limit allows, and others are served.
func TestRapidResetDoesNotStopOthers(t *testing.T) {
	const rate = 50
	r := start(t, faultModels+"limits: {max_resets: 50}\n")
	load(t, r, "qwen", true)
	began := time.Now()
	counts := []*atomic.Int64{
		rapidReset(t, r.GRPCAddr().String(), gatewayv1.ModelGatewayService_Chat_FullMethodName, &gatewayv1.ChatRequest{Messages: say("Hello")}),
		rapidReset(t, r.GRPCAddr().String(), gatewayv1.ModelGatewayService_StreamChat_FullMethodName, &gatewayv1.StreamChatRequest{Messages: say("Hello")}),
		rapidReset(t, r.GRPCAddr().String(), gatewayv1.ModelGatewayService_Status_FullMethodName, &gatewayv1.StatusRequest{}),
	}
	var slowest time.Duration
	for range 50 {
		start := time.Now()
		if _, err := r.chat.Status(within(t, time.Minute), &gatewayv1.StatusRequest{}); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, time.Since(start))
		if err := chatOf("qwen", "Hello")(within(t, time.Minute), r); err != nil {
			t.Fatal(err)
		}
	}
	got, err := r.admin.GetModel(within(t, time.Minute), &gatewayv1.GetModelRequest{Name: "qwen"})
	if err != nil {
		t.Fatal(err)
	}
	// Two of the clients chat. What is on its way in buffers was not read.
	most := int64(50 + 2*(2*rate+rate*(time.Since(began).Seconds()+1)))
	if n := got.GetModel().GetRequestCount(); n > most {
		t.Errorf("the model got %d requests, want at most %d", n, most)
	}
	t.Logf("%d, %d and %d calls were sent; the slowest status took %s", counts[0].Load(), counts[1].Load(), counts[2].Load(), slowest)
}
