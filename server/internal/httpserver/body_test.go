package httpserver

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// A caller who stops in the middle of its body is answered and cut off, on
// every surface, whether its handler reads bodies or not.
func TestSlowBodiesAreCutOff(t *testing.T) {
	url := serve(t, func(o *Options) { o.bodyPatience = 100 * time.Millisecond })
	const sized = "Content-Length: 1000\r\n"
	for name, request := range map[string]string{
		"REST":     "POST /v1/chat HTTP/1.1\r\nContent-Type: application/json\r\n" + sized + "\r\n{\"me",
		"chunked":  "POST /v1/chat HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"me",
		"Connect":  "POST " + rpcChat + " HTTP/1.1\r\nContent-Type: application/json\r\nConnect-Protocol-Version: 1\r\n" + sized + "\r\n{\"me",
		"gRPC-Web": "POST " + rpcChat + " HTTP/1.1\r\nContent-Type: application/grpc-web+proto\r\n" + sized + "\r\n\x00\x00\x00",
		"audio":    "POST /v1/transcribe HTTP/1.1\r\nContent-Type: audio/wav\r\n" + sized + "\r\nRIFF",
		"form":     "POST /v1/transcribe HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x\r\n" + sized + "\r\n--x\r\n",
		"score":    "POST /v1/pronunciation?reference_text=a HTTP/1.1\r\nContent-Type: audio/wav\r\n" + sized + "\r\nRIFF",
		"sound":    "POST /v1/synthesize HTTP/1.1\r\nContent-Type: application/json\r\n" + sized + "\r\n{",
		"health":   "GET /health HTTP/1.1\r\n" + sized + "\r\n",
		"no path":  "POST /nothing HTTP/1.1\r\n" + sized + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
			if _, err := io.WriteString(conn, strings.Replace(request, "\r\n", "\r\nHost: localhost\r\n", 1)); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(resp.Body)
			want := map[string]int{"gRPC-Web": http.StatusOK, "no path": http.StatusNotFound}[name]
			if want == 0 {
				want = http.StatusRequestTimeout
			}
			if resp.StatusCode != want || !resp.Close {
				t.Errorf("%d, close %v: %s", resp.StatusCode, resp.Close, text)
			}
			if got := resp.Header.Get("Grpc-Status"); name == "gRPC-Web" && got != "4" {
				t.Errorf("status %q: %v", got, resp.Header)
			}
			if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("the connection is left open: %v", err)
			}
		})
	}
}

// Speech may pause, and answers may take longer than bodies.
func TestStreamsUpwardsMayPause(t *testing.T) {
	const patience = 50 * time.Millisecond
	url := serve(t, func(o *Options) { o.bodyPatience = patience })
	conn, err := grpc.NewClient(strings.TrimPrefix(url, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	stream, err := gatewayv1.NewModelGatewayServiceClient(conn).StreamTranscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := stream.Send(&gatewayv1.StreamTranscribeRequest{}); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * patience) // the pause
	}
}

func TestTooLargeBodiesAre413(t *testing.T) {
	url := serve(t, nil) // takes messages of 8 MiB
	chat := func(mb int) string {
		return `{"messages":[{"role":"ROLE_USER","content":"` + strings.Repeat("x", mb<<20) + `"}]}`
	}
	invoke := func(mb int) string {
		return `{"model_name":"m","method":"x","params":{"a":"` + strings.Repeat("x", mb<<20) + `"}}`
	}
	const rpcInvoke = "/modelgateway.v1.ModelGatewayService/Invoke"
	for _, c := range []struct {
		path, body string
		want       int
	}{
		{"/v1/chat", chat(3), 200},
		{"/v1/chat", chat(5), 413},
		{"/v1/models/m:invoke", invoke(7), 200},
		{"/v1/models/m:invoke", invoke(9), 413}, // gRPC's own limit
		{"/v1/models/m:invoke", invoke(12), 413},
		{rpcChat, chat(3), 200},
		{rpcChat, chat(5), 413},
		{rpcInvoke, invoke(7), 200},
		{rpcInvoke, invoke(9), 413},
		{rpcInvoke, invoke(12), 413},
	} {
		for name, body := range map[string]io.Reader{
			"known length": strings.NewReader(c.body), "chunked": io.MultiReader(strings.NewReader(c.body)),
		} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+c.path, body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			if strings.HasPrefix(c.path, "/model") {
				req.Header.Set("Connect-Protocol-Version", "1")
			}
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != c.want || c.want == 413 && !strings.Contains(string(text), "INVALID_REQUEST") {
				t.Errorf("%s, %s of %d: %d %.200s, want %d", c.path, name, len(c.body), resp.StatusCode, text, c.want)
			}
		}
	}
}

func TestLargeBodiesShareABound(t *testing.T) {
	entered, leave := make(chan struct{}, 1), make(chan struct{})
	g := newBodyGuard(config.Limits{MaxRequestMB: 64}, semaphore.NewWeighted(12<<20), 0, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil && r.Header.Get("Stay") != "" {
			entered <- struct{}{}
			<-leave
		}
	}))
	server := httptest.NewServer(g)
	defer server.Close()
	large := strings.Repeat("x", 8<<20)
	first := make(chan int, 1)
	go func() {
		resp, _ := send(t, http.MethodPost, server.URL+"/v1/transcribe", strings.NewReader(large), "Stay", "1")
		first <- resp.StatusCode
	}()
	<-entered
	for name, body := range map[string]io.Reader{
		"known length": strings.NewReader(large), "chunked": io.MultiReader(strings.NewReader(large)),
	} {
		resp, e := send(t, http.MethodPost, server.URL+"/v1/transcribe", body)
		if resp.StatusCode != http.StatusTooManyRequests || e.Reason != "QUEUE_FULL" || resp.Header.Get("Retry-After") != "1" {
			t.Errorf("%s: %d %+v %v", name, resp.StatusCode, e, resp.Header)
		}
	}
	if resp, _ := send(t, http.MethodPost, server.URL+"/v1/chat", strings.NewReader("small")); resp.StatusCode != http.StatusOK {
		t.Errorf("a small one: %d", resp.StatusCode)
	}
	close(leave)
	if code := <-first; code != http.StatusOK {
		t.Errorf("the first: %d", code)
	}
	if !g.inFlight.TryAcquire(12 << 20) {
		t.Error("not all was given back")
	}
}
