package server

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/rest"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/sockets"
)

// guarded is a server whose callers need keys.
type guarded struct {
	*running
	file string
	keys map[string]string // by name
}

// startGuarded runs a server with these keys; those that expire have expired.
func startGuarded(t *testing.T, yaml string, keys ...*auth.Key) *guarded {
	t.Helper()
	return startGuardedAt(t, yaml, nil, keys...)
}

// startGuardedAt is startGuarded with a clock of the limits of callers.
func startGuardedAt(t *testing.T, yaml string, now func() time.Time, keys ...*auth.Key) *guarded {
	t.Helper()
	g := &guarded{file: filepath.Join(t.TempDir(), "keys.yaml"), keys: map[string]string{}}
	for _, k := range keys {
		g.add(t, k)
	}
	g.running = startAt(t, "auth:\n  keys_file: "+g.file+"\n"+yaml, now)
	return g
}

func (g *guarded) add(t *testing.T, k *auth.Key) {
	t.Helper()
	key, err := auth.AddKey(g.file, k, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	g.keys[k.Name] = key
}

// as returns the context of a call with a key.
func (g *guarded) as(t *testing.T, name string) context.Context {
	t.Helper()
	return metadata.AppendToOutgoingContext(within(t, time.Minute), "authorization", "Bearer "+g.keys[name])
}

// credentials are headers that must be refused, by what is wrong with them.
func (g *guarded) credentials() map[string][]string {
	valid := g.keys["all"]
	token := func(key string, age time.Duration) string {
		token, _, err := auth.Token{}.Sign(g.keys[key], time.Now().Add(-age))
		if err != nil {
			panic(err)
		}
		return token
	}
	good := token("all", 0)
	return map[string][]string{
		"an expired token":                      {"Bearer " + token("all", time.Hour)},
		"a token of an expired key":             {"Bearer " + token("expired", 0)},
		"a token of a revoked key":              {"Bearer " + token("revoked", 0)},
		"a token without its signature":         {"Bearer " + good[:strings.LastIndex(good, ".")+1]},
		"a token with the signature of another": {"Bearer " + good[:strings.LastIndex(good, ".")] + token("infer", 0)[strings.LastIndex(token("infer", 0), "."):]},
		"none":                                  nil,
		"empty":                                 {""},
		"another scheme":                        {"Basic " + valid},
		"no scheme":                             {valid},
		"unknown":                               {"Bearer mg_aaaaaaaa_" + strings.Repeat("a", 52)},
		"wrong secret":                          {"Bearer " + valid[:len(valid)-1] + map[bool]string{true: "b", false: "a"}[valid[len(valid)-1] == 'a']},
		"cut":                                   {"Bearer " + valid[:len(valid)-1]},
		"twice":                                 {"Bearer " + valid, "Bearer " + valid},
		"expired":                               {"Bearer " + g.keys["expired"]},
		"revoked":                               {"Bearer " + g.keys["revoked"]},
	}
}

func startWithRoles(t *testing.T) *guarded {
	t.Helper()
	g := startGuarded(t, faultModels,
		&auth.Key{Name: "all", Roles: auth.Roles(), MaxPriority: "critical"},
		&auth.Key{Name: "expired", Roles: auth.Roles(), Expires: time.Now().Add(-time.Second)},
		&auth.Key{Name: "infer", Roles: []auth.Role{auth.Infer}},
		&auth.Key{Name: "observe", Roles: []auth.Role{auth.Observe}},
		&auth.Key{Name: "admin", Roles: []auth.Role{auth.Admin}},
		&auth.Key{Name: "metrics", Roles: []auth.Role{auth.Metrics}},
		&auth.Key{Name: "revoked", Roles: auth.Roles()},
	)
	if _, err := auth.RevokeKey(g.file, "revoked"); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+g.keys["revoked"])
		_, err := g.chat.Status(ctx, &gatewayv1.StatusRequest{})
		return status.Code(err) == codes.Unauthenticated
	})
	return g
}

// TestEveryRPCNeedsAKey calls every method that the gRPC server has, reflection and
// channelz among them.
func TestEveryRPCNeedsAKey(t *testing.T) {
	g := startWithRoles(t)
	open := []string{healthpb.Health_Check_FullMethodName, healthpb.Health_List_FullMethodName, healthpb.Health_Watch_FullMethodName}
	count := 0
	for service, info := range g.public.GetServiceInfo() {
		for _, method := range info.Methods {
			rpc := "/" + service + "/" + method.Name
			count++
			if slices.Contains(open, rpc) {
				if code := callEmpty(t, g.conn, rpc, nil); code == codes.Unauthenticated || code == codes.PermissionDenied {
					t.Errorf("%s without a key: %s", rpc, code)
				}
				continue
			}
			for what, header := range g.credentials() {
				if code := callEmpty(t, g.conn, rpc, header); code != codes.Unauthenticated {
					t.Errorf("%s with %s: %s", rpc, what, code)
				}
			}
			if code := callEmpty(t, g.conn, rpc, []string{"Bearer " + g.keys["all"]}); code == codes.Unauthenticated || code == codes.PermissionDenied {
				t.Errorf("%s with all roles: %s", rpc, code)
			}
			if code := callEmpty(t, g.conn, rpc, []string{"Bearer " + g.keys["metrics"]}); code != codes.PermissionDenied {
				t.Errorf("%s with another role: %s", rpc, code)
			}
		}
	}
	if count < 30 {
		t.Errorf("only %d methods", count)
	}
}

// callEmpty calls a method with the empty message and these values of the header.
func callEmpty(t *testing.T, conn *grpc.ClientConn, rpc string, header []string) codes.Code {
	t.Helper()
	ctx, cancel := context.WithCancel(within(t, time.Minute))
	defer cancel()
	for _, value := range header {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", value)
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, rpc)
	if err != nil {
		return status.Code(err)
	}
	if err := stream.SendMsg(&emptypb.Empty{}); err != nil && !errors.Is(err, io.EOF) {
		return status.Code(err)
	}
	if err := stream.CloseSend(); err != nil {
		return status.Code(err)
	}
	return status.Code(stream.RecvMsg(&emptypb.Empty{}))
}

// TestEveryRouteNeedsAKey requests every path of the HTTP server.
func TestEveryRouteNeedsAKey(t *testing.T) {
	g := startWithRoles(t)
	type route struct {
		method, path string
		header       []string // in pairs
		open         bool
		roles        []string // those that may use it; nil: not checked
		endless      bool     // its answer to valid keys may not end
	}
	routes := []route{
		{method: "GET", path: "/healthz", open: true}, {method: "GET", path: "/readyz", open: true},
		{method: "GET", path: "/docs/", open: true}, {method: "GET", path: "/openapi.json", open: true}, {method: "GET", path: "/ui/", open: true},
		{method: "GET", path: "/health", roles: []string{"observe", "admin"}}, {method: "HEAD", path: "/health"}, {method: "POST", path: "/health"},
		{method: "GET", path: "/metrics", roles: []string{"metrics", "admin"}},
		{method: "GET", path: "/v1/transcribe/ws"}, {method: "GET", path: "/v1/synthesize/ws"},
		{method: "POST", path: "/v1/transcribe", header: []string{"Content-Type", "audio/wav"}}, {method: "POST", path: "/v1/synthesize"},
		{method: "POST", path: "/v1/pronunciation", header: []string{"Content-Type", "multipart/form-data; boundary=x"}},
		{method: "GET", path: "/none"}, {method: "POST", path: "/v1/none"}, {method: "GET", path: "/v1/status", roles: []string{"observe", "admin"}},
		{method: "POST", path: "/openai/v1/chat/completions"}, {method: "POST", path: "/v1/chat/completions"}, {method: "GET", path: "/openai/v1/chat/completions"},
		{method: "POST", path: "/openai/v1/responses"}, {method: "POST", path: "/v1/responses"}, {method: "GET", path: "/openai/v1/responses/resp_1"},
		{method: "GET", path: "/openai/v1/realtime"}, {method: "GET", path: "/v1/realtime"},
		{method: "POST", path: "/openai/v1/audio/speech"}, {method: "POST", path: "/v1/audio/translations"}, {method: "POST", path: "/openai/v1/audio/transcriptions"},
		{method: "GET", path: "/openai/v1/models", roles: []string{"infer", "observe", "admin"}}, {method: "GET", path: "/openai/v1/none"},
		{method: "GET", path: "/openai/v1/models/qwen", roles: []string{"infer", "observe", "admin"}}, {method: "GET", path: "/v1/models/qwen", roles: []string{"infer", "observe", "admin"}},
		{method: "GET", path: "/v1/models", roles: []string{"infer", "observe", "admin"}},
		{method: "GET", path: "/v1/audio/voices", roles: []string{"infer", "observe", "admin"}}, {method: "GET", path: "/openai/v1/audio/voices", roles: []string{"infer", "observe", "admin"}},
		{method: "POST", path: "/v1/models/qwen:unload", roles: []string{"admin"}},
		{method: "POST", path: "/modelgateway.v1.ModelGatewayService/None"},
	}
	for _, m := range rest.Methods() {
		for _, media := range []string{"application/grpc-web+proto", "application/grpc-web-text", "application/json", "application/grpc"} {
			routes = append(routes, route{method: "POST", path: m.RPCPath, header: []string{"Content-Type", media, "Connect-Protocol-Version", "1"}, endless: m.Streams})
		}
		if m.Template != "" {
			routes = append(routes, route{method: m.HTTPMethod, path: strings.NewReplacer("{name}", "qwen", "{model_name}", "qwen", "{task_type}", "chat").Replace(m.Template), endless: m.Streams})
		}
	}
	for _, r := range routes {
		request := func(credentials []string) int {
			req, err := http.NewRequestWithContext(within(t, time.Minute), r.method, g.http+r.path, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i+1 < len(r.header); i += 2 {
				req.Header.Set(r.header[i], r.header[i+1])
			}
			req.Header["Authorization"] = credentials
			resp, err := http.DefaultTransport.RoundTrip(req) // follows no redirect
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			text, _ := base64.StdEncoding.DecodeString(string(body))
			for _, code := range []string{"16", "7"} { // in the body of gRPC-Web
				if line := "grpc-status: " + code + "\r\n"; strings.Contains(string(body)+string(text), line) {
					resp.Header.Set("Grpc-Status", code)
				}
			}
			switch cmp.Or(resp.Header.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Status")) { // of gRPC and gRPC-Web, whose answers are 200
			case "16":
				return http.StatusUnauthorized
			case "7":
				return http.StatusForbidden
			}
			return resp.StatusCode
		}
		for what, header := range g.credentials() {
			if code := request(header); (code == http.StatusUnauthorized) == r.open {
				t.Errorf("%s %s with %s: %d", r.method, r.path, what, code)
			}
		}
		if r.endless {
			continue
		}
		if code := request([]string{"Bearer " + g.keys["all"]}); code == http.StatusUnauthorized || code == http.StatusForbidden {
			t.Errorf("%s %s with all roles: %d", r.method, r.path, code)
		}
		for _, name := range []string{"infer", "observe", "admin", "metrics"} {
			code := request([]string{"Bearer " + g.keys[name]})
			if r.roles != nil && (code == http.StatusForbidden) == slices.Contains(r.roles, name) {
				t.Errorf("%s %s as %s: %d", r.method, r.path, name, code)
			}
		}
	}
}

// TestRightsOfAKey checks what a key may ask for, whichever way the request comes.
func TestRightsOfAKey(t *testing.T) {
	g := startGuarded(t, speechModels+"  explain_vietnamese: {primary: qwen}\n",
		&auth.Key{Name: "chat", Roles: []auth.Role{auth.Infer}, Tasks: []string{"chat"}},
		&auth.Key{Name: "models", Roles: []auth.Role{auth.Infer, auth.Admin}, Models: []string{"whisper"}},
		&auth.Key{Name: "all", Roles: auth.Roles(), MaxPriority: "high"},
	)
	ask := func(name string, req *gatewayv1.ChatRequest) error {
		req.Messages = say("Hello")
		_, err := g.chat.Chat(g.as(t, name), req)
		return err
	}
	urgent := &gatewayv1.Routing{Priority: gatewayv1.Priority_PRIORITY_HIGH}
	for what, err := range map[string]error{
		"another task": last(g.chat.Respond(g.as(t, "chat"), &gatewayv1.RespondRequest{Text: "Hello"})),
		"another task, by its name": last(g.chat.ExecuteTask(g.as(t, "chat"), &gatewayv1.ExecuteTaskRequest{
			TaskType: "response", Params: params(t, map[string]any{"text": "Hello"})})),
		"a method of a model":  last(g.chat.Invoke(g.as(t, "chat"), &gatewayv1.InvokeRequest{ModelName: "qwen", Method: "echo"})),
		"another model":        ask("models", &gatewayv1.ChatRequest{}),
		"another model, named": ask("models", &gatewayv1.ChatRequest{Model: "qwen"}),
		"unloading it":         last(g.admin.UnloadModel(g.as(t, "models"), &gatewayv1.UnloadModelRequest{Name: "qwen"})),
		"a high priority":      ask("chat", &gatewayv1.ChatRequest{Routing: urgent}),
		"the highest priority": ask("all", &gatewayv1.ChatRequest{Routing: &gatewayv1.Routing{Priority: gatewayv1.Priority_PRIORITY_CRITICAL}}),
	} {
		if errs.ReasonOf(err) != errs.Forbidden {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, err := range map[string]error{
		"its task":     ask("chat", &gatewayv1.ChatRequest{}),
		"its priority": ask("all", &gatewayv1.ChatRequest{Routing: urgent}),
		"loading":      loadModel(g.as(t, "all"), g),
		"everything":   last(g.chat.Respond(g.as(t, "all"), &gatewayv1.RespondRequest{Text: "Hello"})),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	metrics := http.Header{"Authorization": {"Bearer " + g.keys["all"]}}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, g.http+"/metrics", nil)
	req.Header = metrics
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	for _, line := range []string{`key_requests_total{code="OK",key="chat"} 1`} {
		if !strings.Contains(string(text), line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
	for name, key := range g.keys {
		if logs := g.logs.String(); strings.Contains(logs, key) || strings.Contains(string(text), key) {
			t.Errorf("the key %s is in the log or in the metrics", name)
		}
	}
}

func last[T any](_ T, err error) error { return err }

func loadModel(ctx context.Context, g *guarded) error {
	stream, err := g.admin.LoadModel(ctx, &gatewayv1.LoadModelRequest{Name: "qwen"})
	for err == nil {
		_, err = stream.Recv()
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// TestRevokedKey checks that the calls of a revoked key end, and no others.
func TestRevokedKey(t *testing.T) {
	g := startGuarded(t, speechModels,
		&auth.Key{Name: "leaves", Roles: auth.Roles()}, &auth.Key{Name: "stays", Roles: auth.Roles()})
	open := func(name string) grpc.ServerStreamingClient[gatewayv1.OpenTranscriptionResponse] {
		stream, err := g.chat.OpenTranscription(g.as(t, name), &gatewayv1.OpenTranscriptionRequest{Config: &gatewayv1.TranscriptionConfig{}})
		if err != nil {
			t.Fatal(err)
		}
		return stream
	}
	leaves, stays := open("leaves"), open("stays")
	first, err := stays.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaves.Recv(); err != nil {
		t.Fatal(err)
	}
	// A session belongs to the key that opened it.
	push := &gatewayv1.PushAudioRequest{SessionId: first.GetSessionId(), Audio: make([]byte, 320), Last: true}
	if _, err := g.chat.PushAudio(g.as(t, "leaves"), push); errs.ReasonOf(err) != errs.SessionLost {
		t.Errorf("audio for the session of another key: %v", err)
	}
	if _, err := auth.RevokeKey(g.file, "leaves"); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = leaves.Recv()
	}
	if errs.ReasonOf(err) != errs.Unauthenticated {
		t.Errorf("the stream of the revoked key: %v", err)
	}
	if _, err := g.chat.Status(g.as(t, "leaves"), &gatewayv1.StatusRequest{}); errs.ReasonOf(err) != errs.Unauthenticated {
		t.Errorf("a call of the revoked key: %v", err)
	}
	if _, err := g.chat.PushAudio(g.as(t, "stays"), push); err != nil {
		t.Fatal(err)
	}
	for err = nil; err == nil; {
		_, err = stays.Recv()
	}
	if !errors.Is(err, io.EOF) {
		t.Errorf("the stream of the other key: %v", err)
	}
}

// TestBrokenKeysFile checks that a file that cannot be read leaves the keys as they are.
func TestBrokenKeysFile(t *testing.T) {
	g := startGuarded(t, faultModels, &auth.Key{Name: "a", Roles: auth.Roles()})
	overwrite(t, g.file, "keys: [{name: a, rolls: [infer]}]\n")
	eventually(t, func() bool { return strings.Contains(g.logs.String(), "cannot be used") })
	if _, err := g.chat.Status(g.as(t, "a"), &gatewayv1.StatusRequest{}); err != nil {
		t.Error(err)
	}
}

// TestKeyOfABrowser checks the key in a subprotocol, which is the only way of a page's
// WebSocket.
func TestKeyOfABrowser(t *testing.T) {
	g := startGuarded(t, speechModels, &auth.Key{Name: "page", Roles: []auth.Role{auth.Infer}})
	url := "ws" + strings.TrimPrefix(g.http, "http") + "/v1/synthesize/ws"
	for key, want := range map[string]int{g.keys["page"]: http.StatusSwitchingProtocols, "mg_none": http.StatusUnauthorized} {
		dialer := websocket.Dialer{Subprotocols: []string{sockets.Protocol, sockets.TokenProtocol + key}}
		conn, resp, err := dialer.DialContext(t.Context(), url, nil)
		if resp == nil || resp.StatusCode != want {
			t.Fatalf("%v, %v", resp, err)
		}
		if want != http.StatusSwitchingProtocols {
			continue
		}
		if conn.Subprotocol() != sockets.Protocol {
			t.Errorf("the subprotocol is %q", conn.Subprotocol())
		}
		if err := conn.WriteMessage(websocket.TextMessage, []byte(`{"text":"Hello"}`)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := conn.ReadMessage(); err != nil {
			t.Error(err)
		}
		_ = conn.Close()
	}
	openAI := websocket.Dialer{Subprotocols: []string{sockets.OpenAIProtocol, sockets.OpenAITokenProtocol + g.keys["page"]}}
	conn, _, err := openAI.DialContext(t.Context(), "ws"+strings.TrimPrefix(g.http, "http")+"/v1/realtime?intent=transcription", nil)
	if err != nil || conn.Subprotocol() != sockets.OpenAIProtocol {
		t.Fatalf("as OpenAI's clients do: %v", err)
	}
	_ = conn.Close()
	_, resp, _ := websocket.DefaultDialer.DialContext(t.Context(), url+"?api_key="+g.keys["page"], nil)
	if resp == nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a key in the URL: %v", resp)
	}
}

func params(t *testing.T, values map[string]any) *structpb.Struct {
	t.Helper()
	s, err := structpb.NewStruct(values)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func overwrite(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
