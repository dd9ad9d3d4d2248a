package httpserver

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// A client that stops in the middle of its body is answered and disconnected, on
// every path, whether its handler reads bodies or not.
func TestSlowBodiesAreCutOff(t *testing.T) {
	url := serve(t, func(o *Options) { o.bodyReadTimeout = 100 * time.Millisecond })
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

// A stream may pause, and an answer may take longer than bodies may.
func TestClientStreamsMayPause(t *testing.T) {
	const timeout = 50 * time.Millisecond
	url := serve(t, func(o *Options) { o.bodyReadTimeout = timeout })
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
		<-time.After(2 * timeout) // the pause
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

// Bytes that came fast do not pay for a long silence.
func TestAStalledUploadIsCutOff(t *testing.T) {
	url := serve(t, func(o *Options) { o.bodyReadTimeout = 3 * time.Second })
	const head = "POST /v1/transcribe HTTP/1.1\nHost: localhost\nContent-Type: audio/wav\nContent-Length: 200000000\n\n"
	resp, text := sendThenRead(t, url, head, 5<<20)
	if resp.StatusCode != http.StatusRequestTimeout || !strings.Contains(text, "DEADLINE_EXCEEDED") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}

// A client that sends everything before it reads gets its answer, although that
// was known long before.
func TestEarlyAnswerReachesClientThatSendsAllFirst(t *testing.T) {
	url := serve(t, nil)
	const size = 20 << 20
	for name, c := range map[string]struct {
		path, media string
		want        int
	}{
		"unknown option": {"/v1/transcribe?bogus=1", "audio/wav", 400},
		"no such model":  {"/v1/transcribe?model=nobody", "audio/wav", 404},
		"too large":      {"/v1/chat", "application/json", 413},
		"too large RPC":  {rpcChat, "application/json\nConnect-Protocol-Version: 1", 413},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			head := fmt.Sprintf("POST %s HTTP/1.1\nHost: localhost\nContent-Type: %s\nContent-Length: %d\n\n", c.path, c.media, size)
			if resp, text := sendThenRead(t, url, head, size); resp.StatusCode != c.want || !resp.Close {
				t.Errorf("%d, close %v: %s; want %d", resp.StatusCode, resp.Close, text, c.want)
			}
		})
	}
}

// A route bounds its bodies whatever their Content-Type says, and whatever name
// its path ends with: /v1/tasks/Transcribe is not the RPC Transcribe, whose body
// has no bound.
func TestContentTypeDoesNotChangeTheBounds(t *testing.T) {
	url := serve(t, nil) // takes messages of 8 MiB, so bodies of 10.7 MiB
	const size = 40 << 20
	for _, media := range []string{"application/grpc", "application/grpc-web+proto"} {
		for _, path := range []string{"/v1/tasks/Transcribe", "/v1/tasks/StreamTranscribe", "/v1/chat"} {
			for name, body := range map[string]io.Reader{
				"known length": zeros(size), "chunked": io.MultiReader(zeros(size)),
			} {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+path, body)
				if err != nil {
					t.Fatal(err)
				}
				if name == "known length" {
					req.ContentLength = size
				}
				req.Header.Set("Content-Type", media)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				resp, err := http.DefaultTransport.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				text, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				runtime.ReadMemStats(&after)
				if grew := after.TotalAlloc - before.TotalAlloc; grew > size*3/2 { // twice that without a bound
					t.Errorf("%s, %s, %s: %d bytes were allocated", path, media, name, grew)
				}
				checkTooLarge(t, resp, string(text))
			}
		}
	}
}

// checkTooLarge expects the error of a body that is too large, in the caller's
// protocol.
func checkTooLarge(t *testing.T, resp *http.Response, text string) {
	t.Helper()
	if resp.Header.Get("Grpc-Status") == "" {
		if resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(text, `"INVALID_REQUEST"`) || !strings.Contains(text, "too large") {
			t.Errorf("%s, %s: %d %s", resp.Request.URL.Path, resp.Request.Header.Get("Content-Type"), resp.StatusCode, text)
		}
		return
	}
	details, err := base64.RawStdEncoding.DecodeString(resp.Header.Get("Grpc-Status-Details-Bin"))
	var st spb.Status
	if err == nil {
		err = proto.Unmarshal(details, &st)
	}
	if err != nil || errs.ReasonOf(status.ErrorProto(&st)) != errs.InvalidRequest || !strings.Contains(st.GetMessage(), "too large") {
		t.Errorf("%s, %s: %v %v", resp.Request.URL.Path, resp.Request.Header.Get("Content-Type"), err, resp.Header)
	}
}
