package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/jonboulle/clockwork"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/gemini/geminitest"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/auth"
)

// alignModels has a voice without word times, and a model for pronunciation on the
// engine SCORER with the parameters PARAMETERS.
const alignModels = `
grpc_listen: 127.0.0.1:0
http_listen: 127.0.0.1:0
max_memory_mb: 2000
cpu_threads: 64
drain_timeout: 10s
log: {level: info, format: json}
gemini: {api_key: "` + geminitest.Key + `", base_url: URL, retries: 0}
limits: {slow_reader_timeout: 600s} # the words of a slow machine are aligned, too
engines:
  fault: {command: [engine-fault]}
models:
  voice: {engine: fault, path: MODEL, memory_mb: 64, threads: 1}
  scorer: {engine: fault, path: SCORER, memory_mb: 64, threads: 1, parameters: {PARAMETERS}}
  gemini: {engine: gemini}
tasks:
  synthesize: {primary: voice}
  pronunciation: {primary: scorer, fallbacks: [gemini]}
`

func alignConfig(url, scorer, parameters string) string {
	return strings.NewReplacer("URL", url, "SCORER", scorer, "PARAMETERS", parameters).Replace(alignModels)
}

// aligning is a request for words with times.
func aligning(model, text string) *gatewayv1.SynthesizeRequest {
	return &gatewayv1.SynthesizeRequest{Input: &gatewayv1.SynthesizeRequest_Text{Text: text}, Model: model, AlignWords: true}
}

// spokenAnswer is the whole of an answer.
type spokenAnswer struct {
	bytes, rate int
	words       []string
	servedBy    *gatewayv1.ServedBy
}

// add takes the next message. Words must come after their audio.
func (a *spokenAnswer) add(t *testing.T, m *gatewayv1.SynthesizeResponse) {
	t.Helper()
	if a.servedBy != nil {
		t.Errorf("%v after served_by", m)
	}
	a.bytes += len(m.GetAudio())
	a.rate = max(a.rate, int(m.GetSampleRateHertz()))
	a.servedBy = m.GetServedBy()
	for _, w := range m.GetWords() {
		if spoken := time.Duration(a.bytes/2) * time.Second / time.Duration(a.rate); w.GetEnd().AsDuration() > spoken || !w.GetAligned() {
			t.Errorf("%v after %s of audio", w, spoken)
		}
		a.words = append(a.words, fmt.Sprintf("%s %d", w.GetText(), w.GetStart().AsDuration().Milliseconds()))
	}
}

func synthesizeAll(ctx context.Context, t *testing.T, chat gatewayv1.ModelGatewayServiceClient, req *gatewayv1.SynthesizeRequest) (*spokenAnswer, error) {
	t.Helper()
	a := &spokenAnswer{}
	stream, err := chat.Synthesize(ctx, req)
	for err == nil {
		var m *gatewayv1.SynthesizeResponse
		if m, err = stream.Recv(); err == nil {
			a.add(t, m)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return a, err
}

// TestWordsAreAligned checks the words of voices that give no times, over every
// protocol. A word of the local voice takes 100 ms; Gemini's whole text is aligned at
// once.
func TestWordsAreAligned(t *testing.T) {
	cloud := geminitest.New(t)
	r := start(t, alignConfig(cloud.URL, "MODEL", ""))
	want := []string{"one 0", "two 100", "three 200"}
	check := func(what string, got *spokenAnswer, err error, want []string) {
		t.Helper()
		if err != nil || !slices.Equal(got.words, want) || got.servedBy.GetWarning() != "" || got.bytes == 0 {
			t.Errorf("%s: %q, %d bytes, %v, %v", what, got.words, got.bytes, got.servedBy, err)
		}
	}
	const text = "one (two), three! …"
	ctx := within(t, time.Minute)
	got, err := synthesizeAll(ctx, t, r.chat, aligning("", text))
	check("gRPC", got, err, want)
	got, err = synthesizeAll(ctx, t, r.chat, aligning("gemini", text))
	check("Gemini", got, err, want)
	if n := len(cloud.Requests()); n != 1 {
		t.Errorf("Gemini got %d requests: the alignment must stay here", n)
	}
	encoded := aligning("", text)
	encoded.Output = &gatewayv1.SpeechOutput{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_WAV, SampleRateHertz: 16000}
	got, err = synthesizeAll(ctx, t, r.chat, encoded)
	check("WAV", got, err, want)
	plain := aligning("", text)
	plain.AlignWords = false
	got, err = synthesizeAll(ctx, t, r.chat, plain)
	check("not asked for", got, err, nil)

	body := `{"text":"` + text + `","align_words":true}`
	_, lines := r.post(t, "/v1/synthesize", body, "Accept", "application/x-ndjson")
	got = &spokenAnswer{}
	for line := range strings.Lines(lines) {
		var message struct{ Result json.RawMessage }
		m := &gatewayv1.SynthesizeResponse{}
		if err := errors.Join(json.Unmarshal([]byte(line), &message), protojson.Unmarshal(message.Result, m)); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		got.add(t, m)
	}
	check("REST", got, nil, want)
	resp, refused := r.post(t, "/v1/synthesize", body)
	checkHTTP(t, resp, refused, http.StatusBadRequest, codes.InvalidArgument, errs.InvalidRequest, false)

	params, err := structpb.NewStruct(map[string]any{"text": text, "align_words": true})
	if err != nil {
		t.Fatal(err)
	}
	untyped, err := r.chat.ExecuteTask(ctx, &gatewayv1.ExecuteTaskRequest{TaskType: "synthesize", Params: params})
	if words := untyped.GetData().GetFields()["words"].GetListValue().GetValues(); err != nil || len(words) != 3 ||
		words[1].GetStructValue().GetFields()["text"].GetStringValue() != "two" {
		t.Errorf("ExecuteTask: %v, %v", words, err)
	}

	socket, upgrade, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(r.http, "http")+"/v1/synthesize/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = upgrade.Body.Close()
	defer func() { _ = socket.Close() }()
	if err := socket.WriteMessage(websocket.TextMessage, []byte(body)); err != nil {
		t.Fatal(err)
	}
	got = &spokenAnswer{}
	for got.servedBy == nil {
		kind, data, err := socket.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		m := &gatewayv1.SynthesizeResponse{}
		if kind == websocket.BinaryMessage {
			m.Audio = data
		} else if err := protojson.Unmarshal(data, m); err != nil {
			t.Fatal(err)
		}
		got.add(t, m)
	}
	check("WebSocket", got, nil, want)
}

// TestWordsAreAlignedWithAllCores checks words if each of the two models wants all
// cores, as models do by default, and the voice is so far ahead that it has to wait.
func TestWordsAreAlignedWithAllCores(t *testing.T) {
	config := strings.Replace(alignConfig("http://127.0.0.1:1", "MODEL", ""), "cpu_threads: 64", "cpu_threads: 2", 1)
	r := start(t, strings.ReplaceAll(config, ", threads: 1", ""))
	const words = 3000 // of 3,200 bytes each: more than 8 MiB
	got, err := synthesizeAll(within(t, time.Minute), t, r.chat, aligning("", strings.Repeat("word ", words)))
	if err != nil || got.bytes != words*3200 || len(got.words) != words || got.servedBy.GetWarning() != "" {
		t.Errorf("%d bytes, %d words, %v, %v", got.bytes, len(got.words), got.servedBy, err)
	}
}

// TestAlignedAudioIsCharged checks that the alignment uses the audio that its caller may
// send, but not the requests.
func TestAlignedAudioIsCharged(t *testing.T) {
	const limits = "caller: {requests_per_second: 1, request_burst: 1, audio_in_seconds_per_minute: 1}"
	config := strings.Replace(alignConfig("http://127.0.0.1:1", "MODEL", ""), "limits: {", "limits: {"+limits+", ", 1)
	r := startAt(t, config, clockwork.NewFakeClock().Now)
	// A sentence of 100 ms leaves less than a second, which the next one needs.
	got, err := synthesizeAll(within(t, time.Minute), t, r.chat, aligning("", "one two three"))
	if err != nil || got.bytes != 3*3200 || len(got.words) != 1 || !strings.Contains(got.servedBy.GetWarning(), "audio") {
		t.Errorf("%d bytes, words %q, %v, %v", got.bytes, got.words, got.servedBy, err)
	}
}

// TestSpeechIsNotLostIfWordsCannotBeAligned checks that the speech comes, and why it has
// no words.
func TestSpeechIsNotLostIfWordsCannotBeAligned(t *testing.T) {
	for _, c := range []struct {
		name, scorer, parameters, cut, key, why string
		hidden                                  string // what only the log says
		asked                                   string // code and number of requests of the scorer
	}{
		{name: "no file", scorer: "MODEL.absent", why: "MODEL_FILE_MISSING"},
		{name: "an error", scorer: "MODEL", parameters: "fault: error", why: "error_id", hidden: "as requested", asked: "Internal 1"},
		{name: "an error of each sentence", scorer: "MODEL", parameters: "fault: error, error_reason: INVALID_REQUEST", why: "as requested", asked: "InvalidArgument 3"},
		{name: "no local model", scorer: "MODEL", cut: "primary: scorer, fallbacks: [gemini]=primary: gemini", why: "local_only"},
		{name: "a key for speech only", scorer: "MODEL", key: "synthesize", why: "pronunciation"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := alignConfig("http://127.0.0.1:1", c.scorer, c.parameters)
			before, after, _ := strings.Cut(c.cut, "=")
			config = strings.Replace(config, before, after, 1)
			var r *running
			ctx := within(t, time.Minute)
			if c.key == "" {
				r = start(t, config)
			} else {
				g := startGuarded(t, config, &auth.Key{Name: "k", Roles: []auth.Role{auth.Infer}, Tasks: []string{c.key}})
				r, ctx = g.running, g.as(t, "k")
			}
			got, err := synthesizeAll(ctx, t, r.chat, aligning("", "one two three"))
			if err != nil || got.bytes != 3*3200 || len(got.words) > 0 {
				t.Errorf("%d bytes, words %q, %v", got.bytes, got.words, err)
			}
			if w := got.servedBy.GetWarning(); !strings.HasPrefix(w, "Some words have no times") || !strings.Contains(w, c.why) {
				t.Errorf("the warning is %q", w)
			}
			if w := got.servedBy.GetWarning(); c.hidden != "" && (strings.Contains(w, c.hidden) || !strings.Contains(r.logs.String(), c.hidden)) {
				t.Errorf("the warning is %q; the log: %s", w, r.logs)
			}
			if code, n, found := strings.Cut(c.asked, " "); found {
				_, metrics := r.get(t, "/metrics")
				if line := fmt.Sprintf("modelgateway_requests_total{code=%q,model=\"scorer\",task=\"pronunciation\"} %s\n", code, n); !strings.Contains(metrics, line) {
					t.Errorf("the metrics lack %s", line)
				}
			}
		})
	}
}

// TestCancelEndsTheAlignment checks that nothing is left of a request that its caller
// cancels while its words are aligned.
func TestCancelEndsTheAlignment(t *testing.T) {
	r := start(t, alignConfig("http://127.0.0.1:1", "MODEL", "fault: stall"))
	ctx, cancel := context.WithCancel(within(t, time.Minute))
	defer cancel()
	stream, err := r.chat.Synthesize(ctx, aligning("", strings.Repeat("word ", 50)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	active := func(n int32) func() bool {
		return func() bool { return r.test.Model(t, "scorer").GetActiveCount() == n }
	}
	eventually(t, active(1))
	cancel()
	eventually(t, active(0))
	eventually(t, func() bool { return r.test.Model(t, "voice").GetActiveCount() == 0 })
}
