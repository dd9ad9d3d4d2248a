package server

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/rest"
)

// inference are calls of every RPC that asks a model, to a model that answers.
var inference = []rpcCall{
	{rpc: gatewayv1.ModelGatewayService_Chat_FullMethodName, messages: []string{userSays}, rest: "POST /v1/chat"},
	{rpc: gatewayv1.ModelGatewayService_StreamChat_FullMethodName, messages: []string{userSays}, rest: "POST /v1/chat:stream"},
	{rpc: gatewayv1.ModelGatewayService_Grammar_FullMethodName, messages: []string{`{"text":"I goes"}`}, rest: "POST /v1/grammar"},
	{rpc: gatewayv1.ModelGatewayService_Respond_FullMethodName, messages: []string{`{"text":"Hello"}`}, rest: "POST /v1/respond"},
	{rpc: gatewayv1.ModelGatewayService_ExplainVietnamese_FullMethodName, messages: []string{`{"text":"Hello"}`}, rest: "POST /v1/explain-vietnamese"},
	{rpc: gatewayv1.ModelGatewayService_Transcribe_FullMethodName, messages: []string{`{"config":{"format":` + pcm + `}}`, `{"audio":"AAAAAAAA"}`}},
	{rpc: gatewayv1.ModelGatewayService_StreamTranscribe_FullMethodName, messages: []string{`{"config":{"format":` + pcm + `}}`, `{"audio":"AAAAAAAA"}`}},
	{rpc: gatewayv1.ModelGatewayService_OpenTranscription_FullMethodName, messages: []string{`{"config":{"format":` + pcm + `}}`}, rest: "POST /v1/transcriptions:open", endless: true},
	{rpc: gatewayv1.ModelGatewayService_Recognize_FullMethodName, messages: []string{`{"config":{"format":` + pcm + `},"audio":"AAAAAAAA"}`}, rest: "POST /v1/transcribe"},
	{rpc: gatewayv1.ModelGatewayService_Synthesize_FullMethodName, messages: []string{`{"text":"Hello"}`}, rest: "POST /v1/synthesize"},
	{rpc: gatewayv1.ModelGatewayService_Pronunciation_FullMethodName, messages: []string{`{"format":` + pcm + `,"audio":"AAAAAAAA","reference_text":"Hello"}`}, rest: "POST /v1/pronunciation"},
	{rpc: gatewayv1.ModelGatewayService_ExecuteTask_FullMethodName, messages: []string{`{"task_type":"response","params":{"text":"Hello"}}`}, rest: "POST /v1/tasks/response"},
	{rpc: gatewayv1.ModelGatewayService_Invoke_FullMethodName, messages: []string{`{"model_name":"qwen","method":"echo","params":{"x":1}}`}, rest: "POST /v1/models/qwen:invoke"},
}

const pcm = `{"encoding":"AUDIO_ENCODING_PCM_S16LE","sample_rate_hertz":16000}`

// startMatrix runs a server with every kind of credential, by what is right or wrong
// with it.
func startMatrix(t *testing.T) (g *guarded, right []string, wrong map[string][]string) {
	t.Helper()
	url, sign := tokenIssuer(t)
	config := strings.Replace(issuerConfig(url), "        - {name: staff", `        - {name: other-models, claims: {plan: other-models}, roles: [infer, observe, admin, metrics], models: [piper]}
        - {name: other-tasks, claims: {plan: other-tasks}, roles: [infer, observe, admin, metrics], tasks: [mine]}
        - {name: watcher, claims: {plan: watcher}, roles: [observe, admin, metrics]}
        - {name: staff`, 1)
	g = startGuarded(t, config+speechModels+"  grammar: {primary: qwen}\n  explain_vietnamese: {primary: qwen}\n  mine: {primary: piper, method: x}\n",
		&auth.Key{Name: "key", Roles: auth.Roles(), MaxPriority: "critical"},
		&auth.Key{Name: "expired", Roles: auth.Roles(), Expires: time.Now().Add(-time.Second)},
		&auth.Key{Name: "revoked", Roles: auth.Roles()},
		&auth.Key{Name: "wrong-role", Roles: []auth.Role{auth.Metrics}},
		&auth.Key{Name: "wrong-model", Roles: auth.Roles(), Models: []string{"piper"}},
		&auth.Key{Name: "wrong-task", Roles: auth.Roles(), Tasks: []string{"mine"}})
	token := func(key string, of auth.Token, made time.Time) string {
		text, _, err := of.Sign(g.keys[key], made)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	now := time.Now()
	for name, credential := range map[string]string{
		"token": token("key", auth.Token{}, now), "issuer": sign(map[string]any{"plan": "staff"}),
		"none": "", "unknown key": "mg_aaaaaaaa_" + strings.Repeat("a", 52), "wrong secret": swapped(g.keys["key"]),
		"expired token": token("key", auth.Token{}, now.Add(-time.Hour)), "token of an expired key": token("expired", auth.Token{}, now),
		"token of a revoked key": token("revoked", auth.Token{}, now),
		"cut token":              strings.TrimRight(token("key", auth.Token{}, now), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"),
		"expired, of the issuer": sign(map[string]any{"exp": 1}), "other audience": sign(map[string]any{"aud": "another"}),
		"other issuer":             sign(map[string]any{"iss": "https://another.example"}),
		"token of the wrong model": token("key", auth.Token{Models: []string{"piper"}}, now),
		"token of the wrong task":  token("key", auth.Token{Tasks: []string{"mine"}}, now),
		"token of the wrong role":  token("wrong-role", auth.Token{}, now),
		"issuer, wrong model":      sign(map[string]any{"plan": "other-models"}), "issuer, wrong task": sign(map[string]any{"plan": "other-tasks"}),
		"issuer, wrong role": sign(map[string]any{"plan": "watcher"}), "issuer, no claim": sign(map[string]any{"plan": "none"}),
	} {
		g.keys[name] = credential
	}
	if _, err := auth.RevokeKey(g.file, "revoked"); err != nil {
		t.Fatal(err)
	}
	status := rpcCall{rpc: gatewayv1.ModelGatewayService_Status_FullMethodName, messages: []string{"{}"}}
	eventually(t, func() bool { return overGRPC(t, g, status, g.keys["revoked"]) == codes.Unauthenticated })
	return g, []string{"key", "token", "issuer"}, map[string][]string{
		"invalid": {"none", "unknown key", "wrong secret", "expired", "revoked", "expired token", "token of an expired key", "token of a revoked key", "cut token", "expired, of the issuer", "other audience", "other issuer"},
		"denied":  {"wrong-role", "wrong-model", "wrong-task", "token of the wrong model", "token of the wrong task", "token of the wrong role", "issuer, wrong model", "issuer, wrong task", "issuer, wrong role", "issuer, no claim"},
	}
}

// swapped returns a key with another character in its secret.
func swapped(key string) string {
	other := "a"
	if key[20] == 'a' {
		other = "b"
	}
	return key[:20] + other + key[21:]
}

// TestMatrixOfModels makes every call that asks a model, on every surface, with every
// kind of credential: the right ones are served, and no other.
func TestMatrixOfModels(t *testing.T) {
	g, right, wrong := startMatrix(t)
	tried := map[string]func(credential string) codes.Code{}
	for _, c := range inference {
		for name, over := range surfaces {
			if !c.servedOver(name) {
				for _, credential := range g.keys {
					if code := over(t, g, c, credential); code == codes.OK {
						t.Errorf("%s is served over %s", c.rpc, name)
					}
				}
				continue
			}
			tried[name+" "+c.rpc] = func(credential string) codes.Code {
				c := c
				c.endless = c.endless && slices.ContainsFunc(right, func(name string) bool { return g.keys[name] == credential })
				return over(t, g, c, credential)
			}
		}
	}
	audio := make([]byte, 3200)
	tried["WebSocket of transcriptions"] = func(credential string) codes.Code {
		return overSocket(t, g, "/v1/transcribe/ws?encoding=pcm_s16le", [][]byte{audio, []byte(`{"end":true}`)}, credential)
	}
	tried["WebSocket of speech"] = func(credential string) codes.Code {
		return overSocket(t, g, "/v1/synthesize/ws", [][]byte{[]byte(`{"text":"Hello"}`)}, credential)
	}
	tried["an upload to transcribe"] = func(credential string) codes.Code {
		resp, _ := send(t, g, rpcCall{}, http.MethodPost, "/v1/transcribe?encoding=pcm_s16le", audio, credential, "Content-Type", "audio/l16")
		return httpCode(resp)
	}
	tried["speech as a file"] = func(credential string) codes.Code {
		resp, _ := send(t, g, rpcCall{}, http.MethodPost, "/v1/synthesize", []byte(`{"text":"Hello"}`), credential, "Content-Type", "application/json", "Accept", "audio/wav")
		return httpCode(resp)
	}
	tried["a form to transcribe"] = func(credential string) codes.Code {
		return overForm(t, g, "/v1/transcribe", credential, map[string]string{"encoding": "pcm_s16le"})
	}
	tried["a form to pronounce"] = func(credential string) codes.Code {
		return overForm(t, g, "/v1/pronunciation", credential, map[string]string{"encoding": "pcm_s16le", "reference_text": "Hello"})
	}
	for path, body := range map[string]string{
		"/chat/completions": `{"model":"chat","messages":[{"role":"user","content":"Hello"}]}`,
		"/responses":        `{"model":"chat","input":"Hello"}`,
		"/audio/speech":     `{"model":"synthesize","input":"Hello","voice":"alloy","response_format":"wav"}`,
	} {
		for _, base := range []string{"/openai/v1", "/v1"} {
			tried["OpenAI's "+base+path] = func(credential string) codes.Code {
				resp, _ := send(t, g, rpcCall{}, http.MethodPost, base+path, []byte(body), credential, "Content-Type", "application/json")
				return httpCode(resp)
			}
		}
	}
	tried["OpenAI's transcriptions"] = func(credential string) codes.Code {
		return overForm(t, g, "/openai/v1/audio/transcriptions", credential, map[string]string{"model": "transcribe"})
	}
	tried["OpenAI's realtime"] = func(credential string) codes.Code {
		return overSocket(t, g, "/openai/v1/realtime?intent=transcription", [][]byte{
			[]byte(`{"type":"session.update","session":{"audio":{"input":{"turn_detection":null}}}}`),
			[]byte(`{"type":"input_audio_buffer.append","audio":"` + base64.StdEncoding.EncodeToString(make([]byte, 9600)) + `"}`),
			[]byte(`{"type":"input_audio_buffer.commit"}`),
		}, credential)
	}
	t.Logf("%d ways to ask a model, %d credentials", len(tried), len(right)+len(wrong["invalid"])+len(wrong["denied"]))
	for what, try := range tried {
		for _, name := range right {
			if code := try(g.keys[name]); code != codes.OK {
				t.Errorf("%s with the right %s: %s", what, name, code)
			}
		}
		for _, name := range wrong["invalid"] {
			if code := try(g.keys[name]); code != codes.Unauthenticated {
				t.Errorf("%s with %s: %s", what, name, code)
			}
		}
		for _, name := range wrong["denied"] {
			if code := try(g.keys[name]); code != codes.PermissionDenied {
				t.Errorf("%s with %s: %s", what, name, code)
			}
		}
	}
}

// TestMatrixOfRoles calls every method that the server has with a key of each role. What
// a role may call stands here a second time, so that nobody changes it by accident.
func TestMatrixOfRoles(t *testing.T) {
	g := startWithRoles(t)
	want := map[string][]string{}
	put := func(roles []string, rpcs ...string) {
		for _, rpc := range rpcs {
			want[rpc] = roles
		}
	}
	for _, c := range inference {
		put([]string{"infer"}, c.rpc)
	}
	put([]string{"infer"}, gatewayv1.ModelGatewayService_PushAudio_FullMethodName, gatewayv1.ModelGatewayService_CreateAccessToken_FullMethodName)
	put([]string{"infer", "observe", "admin"}, gatewayv1.ModelGatewayService_ListVoices_FullMethodName)
	put([]string{"observe", "admin"}, gatewayv1.ModelGatewayService_Status_FullMethodName, gatewayv1.ModelAdminService_ListModels_FullMethodName,
		gatewayv1.ModelAdminService_GetModel_FullMethodName, gatewayv1.ModelAdminService_PlanLoad_FullMethodName, gatewayv1.ModelAdminService_WatchModels_FullMethodName)
	put([]string{"admin"}, gatewayv1.ModelAdminService_LoadModel_FullMethodName, gatewayv1.ModelAdminService_UnloadModel_FullMethodName)
	put([]string{"infer", "observe", "admin", "metrics"}, healthpb.Health_Check_FullMethodName, healthpb.Health_List_FullMethodName, healthpb.Health_Watch_FullMethodName)
	streams := map[string]bool{}
	for _, m := range rest.Methods() {
		streams[m.RPCPath] = m.Streams
	}
	for service, info := range g.public.GetServiceInfo() {
		for _, method := range info.Methods {
			rpc := "/" + service + "/" + method.Name
			roles, ok := want[rpc]
			switch {
			case strings.HasPrefix(service, "grpc.reflection.") || strings.HasPrefix(service, "grpc.channelz."):
				roles = []string{"admin"}
			case !ok:
				t.Errorf("%s is not in this test: say who may call it", rpc)
				continue
			}
			c := rpcCall{rpc: rpc, messages: []string{"{}"}}
			for _, role := range []string{"infer", "observe", "admin", "metrics"} {
				allowed := slices.Contains(roles, role)
				if code := callEmpty(t, g.conn, rpc, []string{"Bearer " + g.keys[role]}); (code == codes.PermissionDenied) == allowed || code == codes.Unauthenticated {
					t.Errorf("%s as %s over gRPC: %s", rpc, role, code)
				}
				if _, served := streams[rpc]; !served || streams[rpc] && allowed {
					continue // not over HTTP, or its answer may not end
				}
				for name, over := range surfaces {
					if !c.servedOver(name) {
						continue
					}
					if code := over(t, g, c, g.keys[role]); (code == codes.PermissionDenied) == allowed || code == codes.Unauthenticated {
						t.Errorf("%s as %s over %s: %s", rpc, role, name, code)
					}
				}
			}
		}
	}
}
