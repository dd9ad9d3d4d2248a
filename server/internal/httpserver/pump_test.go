package httpserver

import (
	"bytes"
	"slices"
	"testing"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// keeping keeps what is sent, as gRPC may.
type keeping struct {
	gatewayv1.ModelGatewayService_TranscribeClient
	sent []*gatewayv1.TranscribeRequest
}

func (k *keeping) Send(m *gatewayv1.TranscribeRequest) error {
	k.sent = append(k.sent, m)
	return nil
}

func (k *keeping) CloseSend() error { return nil }

// A message that has been sent is not written to again.
func TestSentAudioStaysAsItWas(t *testing.T) {
	recording := slices.Concat(bytes.Repeat([]byte{1}, uploadPiece), bytes.Repeat([]byte{2}, uploadPiece))
	stream := &keeping{}
	if err := pump(stream, &gatewayv1.TranscriptionConfig{Language: "en"}, bytes.NewReader(recording)); err != nil {
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
		t.Errorf("%d bytes, which are not the recording's", len(got))
	}
}
