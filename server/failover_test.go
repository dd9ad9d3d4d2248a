package server

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// numberModels has a model that hears numbers in PCM; see engines/fault/numbers.go.
var numberModels = strings.Replace(faultModels, "models:\n", "models:\n  numbers: {engine: fault, path: MODEL, memory_mb: 64, parameters: {hear_numbers: true}}\n", 1) + `  transcribe: {primary: numbers, fallbacks: []}
`

// numbersSpoken returns PCM of the numbers up to n, in pieces whose lengths have
// nothing to do with those of the words, and the text of it.
func numbersSpoken(n int) (pieces [][]byte, text string) {
	var pcm []byte
	var words []string
	for i := range n {
		words = append(words, fmt.Sprint(i+1))
		for range 1600 {
			pcm = binary.LittleEndian.AppendUint16(pcm, uint16(i+1))
		}
	}
	for size := 1001; len(pcm) > 0; size = size%5000 + 1001 {
		size = min(size, len(pcm))
		pieces, pcm = append(pieces, pcm[:size]), pcm[size:]
	}
	return pieces, strings.Join(words, " ")
}

// transcriptionPart is what one server told of a transcription.
type transcriptionPart struct {
	texts  []string
	offset *gatewayv1.TranscriptionOffset
	final  *gatewayv1.Transcript
}

// collect reads events to the end, or up to a number of segments if that is not 0.
func collect(t *testing.T, segments int, next func() (*gatewayv1.TranscriptionEvent, error)) *transcriptionPart {
	t.Helper()
	p := &transcriptionPart{}
	for segments == 0 || len(p.texts) < segments {
		event, err := next()
		switch {
		case errors.Is(err, io.EOF):
			return p
		case err != nil:
			t.Fatal(err)
		case event == nil:
			continue
		}
		p.offset = event.GetOffset()
		if s := event.GetSegment(); s != nil {
			p.texts = append(p.texts, s.GetText())
		}
		if event.GetFinal() != nil {
			p.final = event.GetFinal()
		}
	}
	return p
}

// pushPart transcribes pieces, from the offset on, in a session. If segments is not
// 0, it ends after so many; otherwise the last piece ends the audio.
func pushPart(t *testing.T, r *running, pieces [][]byte, from *gatewayv1.TranscriptionOffset, segments int) *transcriptionPart {
	t.Helper()
	ctx, cancel := context.WithCancel(within(t, time.Minute))
	defer cancel()
	cfg := &gatewayv1.TranscriptionConfig{Format: pcmFormat, ResumeFrom: from}
	stream, err := r.chat.OpenTranscription(ctx, &gatewayv1.OpenTranscriptionRequest{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	first, err := stream.Recv()
	if err != nil || first.GetNextAudioSequence() != from.GetCommittedSequence() {
		t.Fatalf("%v, %v", first, err)
	}
	for i := int(from.GetCommittedSequence()); i < len(pieces); i++ {
		last := segments == 0 && i == len(pieces)-1
		if _, err := r.chat.PushAudio(ctx, &gatewayv1.PushAudioRequest{SessionId: first.GetSessionId(), Sequence: int64(i), Audio: pieces[i], Last: last}); err != nil {
			t.Fatal(err)
		}
	}
	return collect(t, segments, func() (*gatewayv1.TranscriptionEvent, error) {
		m, err := stream.Recv()
		return m.GetEvent(), err
	})
}

// streamPart is pushPart over StreamTranscribe.
func streamPart(t *testing.T, r *running, pieces [][]byte, from *gatewayv1.TranscriptionOffset, segments int) *transcriptionPart {
	t.Helper()
	ctx, cancel := context.WithCancel(within(t, time.Minute))
	defer cancel()
	stream, err := r.chat.StreamTranscribe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cfg := &gatewayv1.TranscriptionConfig{Format: pcmFormat, ResumeFrom: from}
	sent := stream.Send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Config{Config: cfg}})
	for _, piece := range pieces[from.GetCommittedSequence():] {
		sent = errors.Join(sent, stream.Send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Audio{Audio: piece}}))
	}
	if segments == 0 {
		sent = errors.Join(sent, stream.CloseSend())
	}
	if sent != nil {
		t.Fatal(sent)
	}
	return collect(t, segments, func() (*gatewayv1.TranscriptionEvent, error) {
		m, err := stream.Recv()
		return m.GetEvent(), err
	})
}

var pcmFormat = &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE}

// A client that goes on at another server with the offset of the last event that it
// received loses no word, and gets none twice, wherever that was.
func TestTranscriptionContinuesElsewhere(t *testing.T) {
	servers := []*running{start(t, numberModels), start(t, numberModels)}
	pieces, want := numbersSpoken(103)
	for name, part := range map[string]func(*testing.T, *running, [][]byte, *gatewayv1.TranscriptionOffset, int) *transcriptionPart{
		"session": pushPart, "stream": streamPart,
	} {
		t.Run(name, func(t *testing.T) {
			for _, lost := range [][]int{{1}, {2, 7, 1}, {20}} {
				var texts []string
				var from *gatewayv1.TranscriptionOffset
				for i, segments := range append(lost, 0) {
					p := part(t, servers[i%2], pieces, from, segments)
					texts = append(texts, p.texts...)
					from = p.offset
					if segments > 0 {
						continue
					}
					if got := p.final.GetAudioDuration().AsDuration(); got != 10300*time.Millisecond {
						t.Errorf("the audio is %v long", got)
					}
				}
				if got := strings.Join(texts, " "); got != want {
					t.Errorf("lost after %v segments, heard %s", lost, got)
				}
			}
		})
	}
}
