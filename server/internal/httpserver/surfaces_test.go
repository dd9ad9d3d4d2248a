package httpserver_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/grpc/codes"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

// userSays is a chat request as JSON.
const userSays = `{"messages":[{"role":"ROLE_USER","content":"Hello"}]}`

func TestEveryProtocolAnswersTheSame(t *testing.T) {
	r := start(t, servertest.FaultModels)
	ctx := servertest.Within(t, time.Minute)
	resp, err := r.Chat.Chat(ctx, &gatewayv1.ChatRequest{Messages: servertest.UserMessage("Hello")})
	if err != nil {
		t.Fatal(err)
	}
	want := resp.GetMessage().GetContent()
	if want == "" || resp.GetServedBy().GetModel() != "qwen" || resp.GetServedBy().GetEngine() != "fault" ||
		resp.GetServedBy().GetLoadDuration().AsDuration() <= 0 || resp.GetFinishReason() != gatewayv1.FinishReason_FINISH_REASON_STOP {
		t.Fatalf("gRPC: %v", resp)
	}

	t.Run("gRPC stream", func(t *testing.T) {
		stream, err := r.Chat.StreamChat(ctx, &gatewayv1.StreamChatRequest{Messages: servertest.UserMessage("Hello")})
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		var last *gatewayv1.StreamChatResponse
		for m, err := stream.Recv(); err != io.EOF; m, err = stream.Recv() {
			if err != nil {
				t.Fatal(err)
			}
			if last.GetServedBy() != nil {
				t.Error("served_by was not in the last message")
			}
			text.WriteString(m.GetDelta())
			last = m
		}
		if text.String() != want || last.GetServedBy().GetModel() != "qwen" || last.GetUsage() == nil {
			t.Errorf("%q, last %v", text.String(), last)
		}
	})

	t.Run("REST", func(t *testing.T) {
		resp, body := r.Post(t, "/v1/chat", userSays)
		var answer struct {
			Message      struct{ Role, Content string }
			FinishReason string `json:"finish_reason"`
			ServedBy     struct {
				Model    string
				Fallback *bool
			} `json:"served_by"`
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%d %v: %s", resp.StatusCode, err, body)
		}
		if answer.Message.Content != want || answer.ServedBy.Model != "qwen" || answer.ServedBy.Fallback == nil || answer.FinishReason != "FINISH_REASON_STOP" {
			t.Errorf("%s", body)
		}
	})

	t.Run("REST stream", func(t *testing.T) {
		resp, body := r.Post(t, "/v1/chat:stream", userSays)
		if got := joinDeltas(t, strings.Split(strings.TrimSpace(body), "\n")); got != want || resp.StatusCode != http.StatusOK {
			t.Errorf("%d %q", resp.StatusCode, body)
		}
	})

	t.Run("server-sent events", func(t *testing.T) {
		resp, body := r.Post(t, "/v1/chat:stream", userSays, "Accept", "text/event-stream")
		var lines []string
		for event := range strings.SplitSeq(strings.TrimSpace(body), "\n\n") {
			data, ok := strings.CutPrefix(event, "data: ")
			if !ok {
				t.Fatalf("not an event: %q", event)
			}
			lines = append(lines, data)
		}
		if got := joinDeltas(t, lines); got != want || resp.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%s: %q", resp.Header.Get("Content-Type"), body)
		}
	})

	for name, opts := range map[string][]connect.ClientOption{
		"Connect":           nil,
		"Connect with JSON": {connect.WithProtoJSON()},
		"gRPC-Web":          {connect.WithGRPCWeb()},
	} {
		t.Run(name, func(t *testing.T) {
			const service = "/modelgateway.v1.ModelGatewayService/"
			unary := connect.NewClient[gatewayv1.ChatRequest, gatewayv1.ChatResponse](http.DefaultClient, r.URL+service+"Chat", opts...)
			resp, err := unary.CallUnary(ctx, connect.NewRequest(&gatewayv1.ChatRequest{Messages: servertest.UserMessage("Hello")}))
			if err != nil {
				t.Fatal(err)
			}
			if resp.Msg.GetMessage().GetContent() != want {
				t.Errorf("unary %v", resp.Msg)
			}
			streaming := connect.NewClient[gatewayv1.StreamChatRequest, gatewayv1.StreamChatResponse](http.DefaultClient, r.URL+service+"StreamChat", opts...)
			stream, err := streaming.CallServerStream(ctx, connect.NewRequest(&gatewayv1.StreamChatRequest{Messages: servertest.UserMessage("Hello")}))
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			for stream.Receive() {
				text.WriteString(stream.Msg().GetDelta())
			}
			if stream.Err() != nil || text.String() != want {
				t.Errorf("stream %q, %v", text.String(), stream.Err())
			}
			if err := stream.Close(); err != nil {
				t.Error(err)
			}
			_, err = unary.CallUnary(ctx, connect.NewRequest(&gatewayv1.ChatRequest{}))
			if connect.CodeOf(err) != connect.CodeInvalidArgument {
				t.Errorf("an invalid request: %v", err)
			}
		})
	}
}

// A header sets the deadline of a call, and the model does not answer in time.
func TestEveryProtocolTakesADeadline(t *testing.T) {
	r := start(t, servertest.FaultModels)
	const stall = `fault: {"fault":"stall"}`
	t.Run("REST", func(t *testing.T) {
		text, err := json.Marshal(stall)
		if err != nil {
			t.Fatal(err)
		}
		resp, body := r.Post(t, "/v1/chat", `{"messages":[{"role":"ROLE_USER","content":`+string(text)+`}]}`, "Grpc-Timeout", "200m")
		servertest.CheckHTTP(t, resp, body, http.StatusGatewayTimeout, codes.DeadlineExceeded, errs.DeadlineExceeded, false)
	})
	for name, c := range map[string]struct {
		header, value string
		opts          []connect.ClientOption
	}{
		"Connect":  {"Connect-Timeout-Ms", "200", nil},
		"gRPC-Web": {"Grpc-Timeout", "200m", []connect.ClientOption{connect.WithGRPCWeb()}},
	} {
		t.Run(name, func(t *testing.T) {
			chat := connect.NewClient[gatewayv1.ChatRequest, gatewayv1.ChatResponse](http.DefaultClient, r.URL+"/modelgateway.v1.ModelGatewayService/Chat", c.opts...)
			req := connect.NewRequest(&gatewayv1.ChatRequest{Messages: servertest.UserMessage(stall)})
			req.Header().Set(c.header, c.value)
			// The client itself has no deadline.
			if _, err := chat.CallUnary(t.Context(), req); connect.CodeOf(err) != connect.CodeDeadlineExceeded {
				t.Errorf("%v", err)
			}
		})
	}
}

func joinDeltas(t *testing.T, lines []string) string {
	t.Helper()
	var text strings.Builder
	for _, line := range lines {
		var m struct{ Result struct{ Delta string } }
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		text.WriteString(m.Result.Delta)
	}
	return text.String()
}
