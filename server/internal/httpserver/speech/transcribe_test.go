package speech

import (
	"bytes"
	"slices"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// recorder keeps the messages that are sent, as gRPC may.
type recorder struct {
	gatewayv1.ModelGatewayService_TranscribeClient
	sent []*gatewayv1.TranscribeRequest
}

func (r *recorder) Send(m *gatewayv1.TranscribeRequest) error {
	r.sent = append(r.sent, m)
	return nil
}

func (r *recorder) CloseSend() error { return nil }

// An upload that waits holds one message, in a buffer of gRPC that is hardly larger.
func TestSentMessagesFitTheBuffersOfGRPC(t *testing.T) {
	stream := &recorder{}
	if err := sendAudio(stream, transcribeMessage, &gatewayv1.TranscriptionConfig{}, bytes.NewReader(make([]byte, 1<<20))); err != nil {
		t.Fatal(err)
	}
	for _, m := range stream.sent {
		if size := proto.Size(m); cap(*mem.DefaultBufferPool().Get(size)) > 32<<10 {
			t.Fatalf("a message of %d bytes takes a buffer of %d", size, cap(*mem.DefaultBufferPool().Get(size)))
		}
	}
}

// A message that has been sent is not changed later.
func TestSentMessagesKeepTheirAudio(t *testing.T) {
	recording := slices.Concat(bytes.Repeat([]byte{1}, pieceBytes), bytes.Repeat([]byte{2}, pieceBytes))
	stream := &recorder{}
	if err := sendAudio(stream, transcribeMessage, &gatewayv1.TranscriptionConfig{Language: "en"}, bytes.NewReader(recording)); err != nil {
		t.Fatal(err)
	}
	if len(stream.sent) == 0 || stream.sent[0].GetConfig().GetLanguage() != "en" {
		t.Fatalf("no config first: %d messages", len(stream.sent))
	}
	var got []byte
	for _, m := range stream.sent[1:] {
		got = append(got, m.GetAudio()...)
	}
	if !bytes.Equal(got, recording) {
		t.Errorf("%d bytes that differ from the recording", len(got))
	}
}
