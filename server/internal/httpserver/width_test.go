package httpserver_test

import (
	"encoding/base64"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

// Messages of very many values are refused before the values are built, whatever
// carries them: built, each takes some 180 bytes.
func TestWideMessagesAreRefused(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	const size = 4 << 20
	zeros := "[0" + strings.Repeat(",0", size/2-100) + "]"
	names := `{"a":0` + strings.Repeat(`,"a":0`, size/6-100) + "}"
	messages := strings.Repeat("\x0a\x00", size/2-100) // of wire format
	frame := func(s string) string {
		return string([]byte{0, byte(len(s) >> 24), byte(len(s) >> 16), byte(len(s) >> 8), byte(len(s))}) + s
	}
	const service = rpcService
	for name, c := range map[string]struct{ path, header, body string }{
		"REST, Invoke":       {"/v1/models/qwen:invoke", asJSON, `{"method":"x","params":{"a":` + zeros + `}}`},
		"REST, names":        {"/v1/tasks/chat", asJSON, `{"params":{"o":` + names + `}}`},
		"REST, unknown":      {"/v1/chat", asJSON, `{"x":` + zeros + `}`},
		"REST, messages":     {"/v1/chat", asJSON, `{"messages":[{}` + strings.Repeat(",{}", size/3-100) + `]}`},
		"REST, transcribe":   {"/v1/transcribe", asJSON + "\nAccept: text/plain", `{"x":` + zeros + `}`},
		"REST, synthesize":   {"/v1/synthesize", asJSON, `{"x":` + zeros + `}`},
		"Connect":            {service + "Invoke", asConnect, `{"modelName":"qwen","method":"x","params":{"a":` + zeros + `}}`},
		"Connect, ignored":   {service + "Chat", asConnect, `{"x":` + zeros + `}`},
		"Connect, messages":  {service + "Chat", asProto, messages},
		"Connect, stream":    {service + "StreamChat", asStream, frame(`{"x":` + zeros + `}`)},
		"gRPC-Web, messages": {service + "Chat", asWeb, frame(messages)},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		resp, text := sendRaw(t, r.URL+c.path, c.header, c.body)
		runtime.ReadMemStats(&after)
		details, _ := base64.RawStdEncoding.DecodeString(resp.Header.Get("Grpc-Status-Details-Bin"))
		text += string(details)
		if !strings.Contains(text, "INVALID_REQUEST") || !strings.Contains(text, "20000 values") || resp.StatusCode != http.StatusBadRequest && !strings.Contains(c.header, "+") {
			t.Errorf("%s: %d %.300s", name, resp.StatusCode, text)
		}
		if grew := after.TotalAlloc - before.TotalAlloc; grew > 10*size {
			t.Errorf("%s: %d MiB were allocated for %d", name, grew>>20, size>>20)
		}
	}
	list := make([]*structpb.Value, 30_000)
	for i := range list {
		list[i] = structpb.NewNumberValue(0)
	}
	params := &structpb.Struct{Fields: map[string]*structpb.Value{"a": structpb.NewListValue(&structpb.ListValue{Values: list})}}
	ctx := servertest.Within(t, time.Minute)
	_, invoke := r.Chat.Invoke(ctx, &gatewayv1.InvokeRequest{ModelName: "qwen", Method: "x", Params: params})
	_, execute := r.Chat.ExecuteTask(ctx, &gatewayv1.ExecuteTaskRequest{TaskType: "chat", Params: params})
	_, chat := r.Chat.Chat(ctx, &gatewayv1.ChatRequest{Messages: make([]*gatewayv1.ChatMessage, 30_000)}, grpc.MaxCallSendMsgSize(size))
	for name, err := range map[string]error{"Invoke": invoke, "ExecuteTask": execute, "Chat": chat} {
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "20000 values") {
			t.Errorf("gRPC, %s: %v", name, err)
		}
	}
	for _, path := range []string{"/v1/transcribe/ws", "/v1/synthesize/ws"} {
		conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(r.URL, "http")+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.WriteMessage(websocket.TextMessage, []byte(`{"x":`+zeros[:900_000]+`]}`)); err != nil {
			t.Fatal(err)
		}
		if _, text, err := conn.ReadMessage(); err != nil || !strings.Contains(string(text), "20000 values") {
			t.Errorf("%s: %.200s %v", path, text, err)
		}
		_ = conn.Close()
	}
}

// A message of as many values as any request needs is served.
func TestManyMessagesAreServed(t *testing.T) {
	r := start(t, servertest.FaultModels)
	body := `{"messages":[` + strings.TrimSuffix(strings.Repeat(`{"role":"ROLE_USER","content":"a, [b]: {c}"},`, 1000), ",") + `]}`
	if resp, text := r.Post(t, "/v1/chat", body); resp.StatusCode != http.StatusOK {
		t.Errorf("%d %.200s", resp.StatusCode, text)
	}
}
