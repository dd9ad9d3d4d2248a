package enginetest

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// emptyRequests sends each task's request with no field set. The server validates
// requests, but an engine must survive without that: it answers, or fails with a
// reason other than INTERNAL, which means a bug of the engine.
func (s *suite) emptyRequests(t *testing.T) {
	w := s.startLoaded(t)
	for _, task := range engines.Tasks() {
		_, err := w.run(t.Context(), []*enginev1.RunRequest{task.EmptyRequest()})
		if err != nil && (!typed(err) || errs.ReasonOf(err) == errs.Internal) {
			t.Errorf("an empty request of the task %s ended with %v", task.Name, err)
		}
	}
	for name, messages := range map[string][]*enginev1.RunRequest{
		"no message":          nil,
		"an empty message":    {{}},
		"audio before config": {{Payload: &enginev1.RunRequest_Audio{Audio: []byte("audio")}}},
	} {
		if _, err := w.run(t.Context(), messages); !slices.Contains([]errs.Reason{errs.InvalidRequest, errs.ConfigNotFirst}, errs.ReasonOf(err)) {
			t.Errorf("%s: the run ended with %v", name, err)
		}
	}
	w.stillWorks(t)
}

// rawCodec sends bytes without encoding them, under the name of the protobuf codec.
type rawCodec struct{ encoding.CodecV2 }

// Marshal implements encoding.CodecV2.
func (c rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	if raw, ok := v.([]byte); ok {
		return mem.BufferSlice{mem.SliceBuffer(raw)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// garbage sends a message that is not protobuf, and text that is not UTF-8. Only
// the call that sends it may fail.
func (s *suite) garbage(t *testing.T) {
	w := s.startLoaded(t)
	for name, data := range map[string][]byte{
		"not protobuf": bytes.Repeat([]byte{0xff}, 64),
		// RunRequest{grammar: GrammarRequest{text: "\xff\xfe"}}
		"not UTF-8": {0x12, 0x04, 0x0a, 0x02, 0xff, 0xfe},
	} {
		stream, err := w.conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true},
			enginev1.Engine_Run_FullMethodName, grpc.ForceCodecV2(rawCodec{encoding.GetCodecV2("proto")}))
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.SendMsg(data); err != nil {
			t.Fatal(err)
		}
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if err := stream.RecvMsg(&enginev1.RunResponse{}); status.Code(err) == codes.OK || status.Code(err) == codes.Unavailable {
			t.Errorf("%s: the run ended with %v", name, err)
		}
	}
	w.stillWorks(t)
}

// hugeWithin is the deadline of a huge request.
const hugeWithin = 5 * time.Second

// huge sends the longest text that the API accepts: the run succeeds, fails with a
// reason, or reaches its deadline. A message over the size limit is refused.
func (s *suite) huge(t *testing.T) {
	w := s.startLoaded(t)
	one := int32(1)
	long := &gatewayv1.ChatRequest{
		Sampling: &gatewayv1.SamplingOptions{MaxTokens: &one},
		Messages: []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, Content: strings.Repeat("The quick brown fox. ", 47_000)}},
	}
	ctx, cancel := context.WithTimeout(t.Context(), hugeWithin)
	defer cancel()
	_, err := w.run(ctx, []*enginev1.RunRequest{{Payload: &enginev1.RunRequest_Chat{Chat: long}}})
	if err != nil && errs.ReasonOf(err) != errs.DeadlineExceeded && (!typed(err) || errs.ReasonOf(err) == errs.Internal) {
		t.Errorf("a message of 1 MB ended with %v", err)
	}
	beyond := &enginev1.RunRequest{Payload: &enginev1.RunRequest_Audio{Audio: make([]byte, engines.MaxMessageBytes+1)}}
	if _, err := w.run(t.Context(), []*enginev1.RunRequest{beyond}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a message of %d bytes ended with %v", engines.MaxMessageBytes+1, err)
	}
	w.stillWorks(t)
}
