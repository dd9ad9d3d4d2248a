package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/peers"
)

// dialAs connects to a Unix socket as another user: a thread of its own takes the
// user's number, and ends.
func dialAs(uid int, socket string) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // for ever, so that the thread ends
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
			done <- result{err: errno}
			return
		}
		conn, err := net.Dial("unix", socket)
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}

// unixServer is a server on two Unix sockets, with clients of any user.
type unixServer struct {
	*guarded
	grpcSocket, httpSocket string
}

func (s unixServer) client(t *testing.T, uid int) gatewayv1.ModelGatewayServiceClient {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///localhost", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return dialAs(uid, s.grpcSocket) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return gatewayv1.NewModelGatewayServiceClient(conn)
}

func (s unixServer) request(t *testing.T, uid int, method, path, body string, header ...string) (int, error) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return dialAs(uid, s.httpSocket) }}}
	req, err := http.NewRequestWithContext(within(t, time.Minute), method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Connect-Protocol-Version", "1")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	_ = resp.Body.Close()
	return resp.StatusCode, nil
}

// TestUnixUsers checks who may call over Unix sockets: the users of the configuration
// with their rights, and nobody else without a key.
func TestUnixUsers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can connect as another user")
	}
	const app, boss, stranger = 12001, 12002, 12003
	dir := socketDir(t)
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // other users must reach the sockets
		t.Fatal(err)
	}
	s := unixServer{grpcSocket: filepath.Join(dir, "grpc"), httpSocket: filepath.Join(dir, "http")}
	yaml := strings.NewReplacer("grpc_listen: 127.0.0.1:0", "grpc_listen: unix:"+s.grpcSocket, "http_listen: 127.0.0.1:0", "http_listen: unix:"+s.httpSocket).Replace(faultModels)
	s.guarded = startGuarded(t, fmt.Sprintf(`  unix_users:
    - {uid: %d, name: app, roles: [infer], tasks: [chat]}
    - {uid: %d, name: boss, roles: [observe, admin]}
`, app, boss)+yaml, &auth.Key{Name: "key", Roles: []auth.Role{auth.Observe}})
	chat := &gatewayv1.ChatRequest{Messages: say("Hello")}
	ctx := within(t, time.Minute)
	for what, err := range map[string]error{
		"its task":         last(s.client(t, app).Chat(ctx, chat)),
		"its role":         last(s.client(t, boss).Status(ctx, &gatewayv1.StatusRequest{})),
		"with a key":       last(s.client(t, app).Status(s.as(t, "key"), &gatewayv1.StatusRequest{})),
		"root, with a key": last(s.client(t, 0).Status(s.as(t, "key"), &gatewayv1.StatusRequest{})),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	// What a caller says of itself counts for nothing.
	lie := metadata.AppendToOutgoingContext(ctx, "x-modelgateway-user", fmt.Sprint(boss), "x-modelgateway-peer", "1.2.3.4")
	for what, err := range map[string]error{
		"another task":          last(s.client(t, app).Respond(ctx, &gatewayv1.RespondRequest{Text: "Hello"})),
		"another role":          last(s.client(t, app).Status(ctx, &gatewayv1.StatusRequest{})),
		"another user's role":   last(s.client(t, app).Status(lie, &gatewayv1.StatusRequest{})),
		"inference by the boss": last(s.client(t, boss).Chat(ctx, chat)),
	} {
		if errs.ReasonOf(err) != errs.Forbidden {
			t.Errorf("%s: %v", what, err)
		}
	}
	wrong := metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer mg_none")
	for what, err := range map[string]error{
		"a wrong key of a listed user": last(s.client(t, app).Chat(wrong, chat)),
		"root, without a key":          last(s.client(t, 0).Chat(ctx, chat)),
		"root, with a lie":             last(s.client(t, 0).Status(lie, &gatewayv1.StatusRequest{})),
	} {
		if errs.ReasonOf(err) != errs.Unauthenticated {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := s.client(t, stranger).Status(s.as(t, "key"), &gatewayv1.StatusRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("a user who is not listed: %v", err)
	}

	rpc := gatewayv1.ModelGatewayService_Chat_FullMethodName
	for _, c := range []struct {
		uid                int
		method, path, body string
		want               int
	}{
		{app, "POST", "/v1/chat", userSays, 200}, {app, "POST", rpc, userSays, 200}, {boss, "GET", "/v1/status", "", 200}, {boss, "GET", "/health", "", 200},
		{app, "GET", "/v1/status", "", 403}, {app, "GET", "/metrics", "", 403}, {boss, "POST", "/v1/chat", userSays, 403}, {boss, "POST", rpc, userSays, 403},
		{0, "POST", "/v1/chat", userSays, 401}, {0, "GET", "/health", "", 401}, {0, "GET", "/healthz", "", 200},
	} {
		lies := []string{"X-Modelgateway-User", fmt.Sprint(app), "Grpc-Metadata-X-Modelgateway-User", fmt.Sprint(app)}
		if code, err := s.request(t, c.uid, c.method, c.path, c.body, lies...); err != nil || code != c.want {
			t.Errorf("%s %s as %d: %d, %v, want %d", c.method, c.path, c.uid, code, err, c.want)
		}
	}
	if _, err := s.request(t, stranger, "GET", "/healthz", ""); err == nil {
		t.Error("a user who is not listed got an answer")
	}
}

// TestUnixSocketOfOneUser checks that other users cannot connect where none are listed.
func TestUnixSocketOfOneUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can connect as another user")
	}
	dir := socketDir(t)
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // so that only the socket's mode decides
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "grpc")
	start(t, strings.Replace(faultModels, "grpc_listen: 127.0.0.1:0", "grpc_listen: unix:"+socket, 1))
	if _, err := dialAs(12003, socket); !errors.Is(err, unix.EACCES) {
		t.Errorf("another user: %v", err)
	}
}

// TestUnixUserIsNoHeader checks that a client of the network cannot say that it is a user
// of a Unix socket.
func TestUnixUserIsNoHeader(t *testing.T) {
	socket := filepath.Join(socketDir(t), "grpc")
	r := start(t, "auth: {unix_users: [{uid: 12001, name: app, roles: [infer, observe, admin, metrics]}]}\n"+
		strings.Replace(faultModels, "grpc_listen: 127.0.0.1:0", "grpc_listen: unix:"+socket, 1))
	for _, path := range []string{"/v1/chat", gatewayv1.ModelGatewayService_Chat_FullMethodName} {
		resp, body := r.post(t, path, userSays, "Content-Type", "application/json", "Connect-Protocol-Version", "1",
			"X-Modelgateway-User", "12001", "Grpc-Metadata-X-Modelgateway-User", "12001")
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	// The interface to gRPC behind the routes decides too.
	ctx := peers.WithUser(t.Context(), peers.UserAddr{UID: 12001})
	lie := metadata.AppendToOutgoingContext(t.Context(), "x-modelgateway-user", "12001")
	inside := gatewayv1.NewModelGatewayServiceClient(r.Server.conn)
	if _, err := inside.Status(ctx, &gatewayv1.StatusRequest{}); err != nil {
		t.Errorf("through the pipe: %v", err)
	}
	if _, err := inside.Status(lie, &gatewayv1.StatusRequest{}); errs.ReasonOf(err) != errs.Unauthenticated {
		t.Errorf("a lie through the pipe: %v", err)
	}
}
