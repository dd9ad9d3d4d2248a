package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/jonboulle/clockwork"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/auth"
)

// limitedServer is a server whose key "small" has limits. Time passes when a test says
// so.
type limitedServer struct {
	*guarded
	clock *clockwork.FakeClock
}

// startLimited runs a server whose key "small" has these limits; "other" has none.
func startLimited(t *testing.T, limits map[string]float64) *limitedServer {
	t.Helper()
	clock := clockwork.NewFakeClock()
	return &limitedServer{clock: clock, guarded: startGuardedAt(t, speechModels, clock.Now,
		&auth.Key{Name: "small", Roles: auth.Roles(), Limits: limits},
		&auth.Key{Name: "other", Roles: auth.Roles()},
	)}
}

// TestRequestsOverTheLimit sends one request more than a key may, over every surface.
func TestRequestsOverTheLimit(t *testing.T) {
	g := startLimited(t, map[string]float64{"requests_per_second": 0.5, "request_burst": 1, "tokens_per_minute": 1000})
	for name, call := range surfaces() {
		t.Run(name, func(t *testing.T) {
			g.clock.Advance(time.Hour)
			answered, err := call(t, g.guarded, "small")
			if err != nil {
				t.Fatal(err)
			}
			refused, err := call(t, g.guarded, "small")
			if e := errs.From(err); e == nil || e.Reason() != errs.RateLimited || e.RetryAfter() <= 0 || errs.Code(e.Reason()) != codes.ResourceExhausted {
				t.Errorf("the second request: %v", err)
			}
			for what, header := range map[string]http.Header{"answer": answered, "refusal": refused} {
				if name == "a WebSocket" {
					continue
				}
				const policy, limit = `"requests";q=1;w=2, "tokens";q=1000;w=60`, `"requests";r=0;t=2, "tokens";r=`
				if got := header.Values("RateLimit-Policy"); len(got) != 1 || got[0] != policy {
					t.Errorf("%s: RateLimit-Policy: %q", what, got)
				}
				if got := header.Values("RateLimit"); len(got) != 1 || !strings.HasPrefix(got[0], limit) {
					t.Errorf("%s: RateLimit: %q", what, got)
				}
				if got := header.Get("X-Ratelimit-Remaining-Requests") + " " + header.Get("X-Ratelimit-Reset-Requests"); got != "0 2s" {
					t.Errorf("%s: X-Ratelimit-…-Requests: %q", what, got)
				}
			}
			free, err := call(t, g.guarded, "other")
			if err != nil || free.Get("RateLimit") != "" {
				t.Errorf("another key: %v, %q", err, free.Get("RateLimit"))
			}
			g.clock.Advance(2 * time.Second)
			if _, err := call(t, g.guarded, "small"); err != nil {
				t.Errorf("after the time that was told: %v", err)
			}
		})
	}
	if text := g.metrics(t); !strings.Contains(text, fmt.Sprintf(`limited_total{key="small",limit="requests"} %d`, len(surfaces()))) {
		t.Errorf("the metrics count other refusals: %s", text)
	}
}

// metrics returns the metrics of the server.
func (g *guarded) metrics(t *testing.T) string {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t, time.Minute), http.MethodGet, g.http+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+g.keys["other"])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// left returns what a key has left of a limit.
func (g *limitedServer) left(t *testing.T, limit string) int {
	t.Helper()
	var header metadata.MD
	if _, err := g.chat.Status(g.as(t, "small"), &gatewayv1.StatusRequest{}, grpc.Header(&header)); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(strings.Join(header.Get("ratelimit"), ""), strconv.Quote(limit)+";r=")
	n, err := strconv.Atoi(rest[:max(0, strings.IndexAny(rest+";", ";,"))])
	if err != nil {
		t.Fatalf("%v: %q", err, header.Get("ratelimit"))
	}
	return n
}

// TestAccessTokensShareTheLimitsOfTheirKey checks that a key cannot multiply its limits.
func TestAccessTokensShareTheLimitsOfTheirKey(t *testing.T) {
	g := startLimited(t, map[string]float64{"requests_per_second": 0.5, "request_burst": 2})
	ask := func(key string) error {
		_, err := g.chat.Chat(g.as(t, key), &gatewayv1.ChatRequest{Messages: say("Hello")})
		return err
	}
	for _, user := range []string{"one", "two", "three"} {
		token, _, err := auth.Token{Subject: user}.Sign(g.keys["small"], time.Now())
		if err != nil {
			t.Fatal(err)
		}
		g.keys[user] = token
	}
	for _, user := range []string{"one", "two"} {
		if err := ask(user); err != nil {
			t.Fatal(err)
		}
	}
	for _, user := range []string{"three", "small"} {
		checkStatus(t, ask(user), codes.ResourceExhausted, errs.RateLimited, true)
	}
}

// TestTokensAreChargedAfterwards checks that a chat may use more tokens than are left,
// and that no other may begin before that is made up for.
func TestTokensAreChargedAfterwards(t *testing.T) {
	g := startLimited(t, map[string]float64{"tokens_per_minute": 100})
	chat := func(key, text string) error {
		_, err := g.chat.Chat(g.as(t, key), &gatewayv1.ChatRequest{Messages: say(text)})
		return err
	}
	if err := chat("small", `fault: {"fault":"error","fault_after_tokens":90,"token_count":95,"error_reason":"MODEL_FILE_INVALID"}`); errs.ReasonOf(err) != errs.ModelFileInvalid {
		t.Fatal(err)
	}
	if left := g.left(t, "tokens"); left != 100 {
		t.Errorf("after a failure of the server %d tokens are left", left)
	}
	const long = `fault: {"token_count":248}` // and 2 words in the request
	if err := chat("small", long); err != nil {
		t.Fatal(err)
	}
	err := chat("small", "Hello")
	checkStatus(t, err, codes.ResourceExhausted, errs.RateLimited, true)
	// 150 tokens are owed, at 100 a minute.
	if e := errs.From(err); e.Metadata()["limit"] != "tokens" || e.RetryAfter() < 90*time.Second || e.RetryAfter() > 91*time.Second {
		t.Errorf("%v, %v, after %s", err, e.Metadata(), e.RetryAfter())
	}
	if err := chat("other", long); err != nil {
		t.Errorf("another key: %v", err)
	}
	if _, err := g.chat.Recognize(g.as(t, "small"), &gatewayv1.RecognizeRequest{Audio: make([]byte, 10)}); err != nil {
		t.Errorf("a request that uses no tokens: %v", err)
	}
	g.clock.Advance(errs.From(err).RetryAfter())
	if err := chat("small", "Hello"); err != nil {
		t.Errorf("after the time that was told: %v", err)
	}
	for _, line := range []string{
		`key_tokens_total{key="small",kind="completion"}`, `key_tokens_total{key="other",kind="completion"} 248`, `limited_total{key="small",limit="tokens"} 1`,
	} {
		if text := g.metrics(t); !strings.Contains(text, line) {
			t.Errorf("the metrics lack %s: %s", line, text)
		}
	}
}

// TestCancelledChatIsCharged checks that a caller who does not wait for the end pays
// too.
func TestCancelledChatIsCharged(t *testing.T) {
	g := startLimited(t, map[string]float64{"tokens_per_minute": 1000})
	ctx, cancel := context.WithCancel(g.as(t, "small"))
	defer cancel()
	const words = 400
	stream, err := g.chat.StreamChat(ctx, &gatewayv1.StreamChatRequest{Messages: append(say(strings.Repeat("word ", words)), say(
		`fault: {"token_count":100,"fault":"stall","fault_after_tokens":20}`)...)})
	for range 20 {
		if err == nil {
			_, err = stream.Recv()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if left := g.left(t, "tokens"); left != 1000 {
		t.Errorf("before the end %d tokens are left", left)
	}
	cancel()
	eventually(t, func() bool { return g.left(t, "tokens") <= 1000-20-words })
}

// TestLiveAudioEndsWithItsLimit checks that a transcription goes on for as long as its
// caller may, over every surface.
func TestLiveAudioEndsWithItsLimit(t *testing.T) {
	const second, limit = 32_000, 5
	piece := make([]byte, second)
	g := startLimited(t, map[string]float64{"audio_in_seconds_per_minute": limit})
	cfg := &gatewayv1.TranscriptionConfig{InterimResults: true, Format: &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE}}
	// Each returns how many seconds were heard before the error.
	for name, speak := range map[string]func(t *testing.T) (int, error){
		"gRPC": func(t *testing.T) (heard int, err error) {
			stream, err := g.chat.StreamTranscribe(g.as(t, "small"))
			if err == nil {
				err = stream.Send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Config{Config: cfg}})
			}
			for ; err == nil && heard < 3*limit; heard++ {
				_ = stream.Send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Audio{Audio: piece}})
				_, err = stream.Recv()
			}
			return heard - 1, err
		},
		"a session": func(t *testing.T) (heard int, err error) {
			stream, err := g.chat.OpenTranscription(g.as(t, "small"), &gatewayv1.OpenTranscriptionRequest{Config: cfg})
			if err != nil {
				return 0, err
			}
			first, err := stream.Recv()
			for ; err == nil && heard < 3*limit; heard++ {
				if _, err = g.chat.PushAudio(g.as(t, "small"), &gatewayv1.PushAudioRequest{SessionId: first.GetSessionId(), Sequence: int64(heard), Audio: piece}); err == nil {
					_, err = stream.Recv()
				}
			}
			return heard - 1, err
		},
		"a WebSocket": func(t *testing.T) (heard int, err error) {
			url := "ws" + strings.TrimPrefix(g.http, "http") + "/v1/transcribe/ws?interim_results=true&encoding=pcm_s16le"
			conn, _, err := websocket.DefaultDialer.DialContext(within(t, time.Minute), url, http.Header{"Authorization": {"Bearer " + g.keys["small"]}})
			if err != nil {
				return 0, err
			}
			defer conn.Close()
			for ; err == nil && heard < 3*limit; heard++ {
				if err = conn.WriteMessage(websocket.BinaryMessage, piece); err != nil {
					return heard, err
				}
				var data []byte
				if _, data, err = conn.ReadMessage(); bytes.Contains(data, []byte("RATE_LIMITED")) {
					err = errs.New(errs.RateLimited, "%s", data)
				}
			}
			return heard - 1, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			g.clock.Advance(time.Hour)
			heard, err := speak(t)
			if errs.ReasonOf(err) != errs.RateLimited || heard != limit {
				t.Errorf("after %d seconds: %v", heard, err)
			}
			_, err = g.chat.Recognize(g.as(t, "small"), &gatewayv1.RecognizeRequest{Config: cfg, Audio: piece})
			checkStatus(t, err, codes.ResourceExhausted, errs.RateLimited, true)
			if _, err := g.chat.Recognize(g.as(t, "other"), &gatewayv1.RecognizeRequest{Config: cfg, Audio: piece}); err != nil {
				t.Errorf("another key: %v", err)
			}
			if _, err := g.chat.Chat(g.as(t, "small"), &gatewayv1.ChatRequest{Messages: say("Hello")}); err != nil {
				t.Errorf("a request without audio: %v", err)
			}
		})
	}
	eventually(t, func() bool {
		resp, err := g.admin.GetModel(g.as(t, "other"), &gatewayv1.GetModelRequest{Name: "qwen"})
		return err == nil && resp.GetModel().GetActiveCount() == 0
	})
}

// TestRecordingMayBeLongerThanTheLimit checks that a recording that is there is heard
// whole, and then paid.
func TestRecordingMayBeLongerThanTheLimit(t *testing.T) {
	g := startLimited(t, map[string]float64{"audio_in_seconds_per_minute": 5})
	req := &gatewayv1.RecognizeRequest{Audio: make([]byte, 12*32_000), Config: &gatewayv1.TranscriptionConfig{
		Format: &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE},
	}}
	if _, err := g.chat.Recognize(g.as(t, "small"), req); err != nil {
		t.Fatal(err)
	}
	_, err := g.chat.Recognize(g.as(t, "small"), req)
	// 7 seconds are owed and one must be there, at 5 a minute.
	if e := errs.From(err); e == nil || e.Reason() != errs.RateLimited || e.RetryAfter() < 96*time.Second || e.RetryAfter() > 97*time.Second {
		t.Errorf("the second recording: %v", err)
	}
}

// TestSpeechIsCharged checks the limit of speech.
func TestSpeechIsCharged(t *testing.T) {
	g := startLimited(t, map[string]float64{"audio_out_seconds_per_minute": 1})
	speak := func() error {
		stream, err := g.chat.Synthesize(g.as(t, "small"), &gatewayv1.SynthesizeRequest{Input: &gatewayv1.SynthesizeRequest_Text{Text: strings.Repeat("A long sentence. ", 40)}})
		return drain(stream, err)
	}
	if err := speak(); err != nil {
		t.Fatal(err)
	}
	checkStatus(t, speak(), codes.ResourceExhausted, errs.RateLimited, true)
}

// TestAddressesHaveLimitsWithoutKeys checks the limits of a server without keys.
func TestAddressesHaveLimitsWithoutKeys(t *testing.T) {
	clock := clockwork.NewFakeClock()
	r := startAt(t, faultModels+"limits: {caller: {requests_per_second: 1, request_burst: 2}}\n", clock.Now)
	chat := func(local string) error {
		_, err := clientFrom(t, local, r.GRPCAddr().String()).Chat(within(t, time.Minute), &gatewayv1.ChatRequest{Messages: say("Hello")})
		return err
	}
	for range 2 { // over two connections
		if err := chat("127.0.0.2"); err != nil {
			t.Fatal(err)
		}
	}
	checkStatus(t, chat("127.0.0.2"), codes.ResourceExhausted, errs.RateLimited, true)
	if err := chat("127.0.0.3"); err != nil {
		t.Errorf("another address: %v", err)
	}
	resp, _ := r.post(t, "/v1/chat", userSays) // from 127.0.0.1
	if got := resp.Header.Get("RateLimit"); got != `"requests";r=1;t=1` {
		t.Errorf("RateLimit: %q", got)
	}
	// Health checks do not count.
	for range 3 {
		if resp, _ := r.get(t, "/healthz"); resp.StatusCode != http.StatusOK {
			t.Error(resp.Status)
		}
	}
}
