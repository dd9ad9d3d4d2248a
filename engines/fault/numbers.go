package fault

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lexilingo/modelgateway/engines"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const (
	numberTime   = 100 * time.Millisecond // of audio that is one number
	numberBytes  = 2 * toneRate / 10
	numbersTold  = 5 // numbers of a segment
	tornNumber   = "torn"
	segmentTime  = numbersTold * numberTime
	segmentBytes = numbersTold * numberBytes
)

// hearNumbers transcribes PCM s16le of 16 kHz in which each 0.1 s has one value: that
// number is the word. Audio with several values is "torn", so a test sees if audio was
// lost, came twice, or was cut at the wrong sample. Five numbers are a segment.
func (m *model) hearNumbers(audio engines.AudioSource, emit func(*gatewayv1.TranscriptionEvent) error) error {
	var waiting []byte
	final := &gatewayv1.Transcript{Language: "en", LanguageConfidence: 1}
	var texts []string
	tell := func(n int) error {
		begin := time.Duration(len(final.GetSegments())) * segmentTime
		s := numbers(waiting[:n], begin)
		waiting = waiting[n:]
		final.Segments, texts = append(final.Segments, s), append(texts, s.GetText())
		return emit(&gatewayv1.TranscriptionEvent{Event: &gatewayv1.TranscriptionEvent_Segment{Segment: s}})
	}
	for {
		data, err := audio.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		m.work.Add(1)
		waiting = append(waiting, data...)
		for len(waiting) >= segmentBytes {
			if err := tell(segmentBytes); err != nil {
				return err
			}
		}
	}
	if len(waiting) > 0 {
		if err := tell(len(waiting)); err != nil {
			return err
		}
	}
	final.Text = strings.Join(texts, " ")
	if n := len(final.GetSegments()); n > 0 {
		final.AudioDuration = final.GetSegments()[n-1].GetEnd()
	}
	return emit(&gatewayv1.TranscriptionEvent{Event: &gatewayv1.TranscriptionEvent_Final{Final: final}})
}

// numbers returns the segment of what is heard in pcm.
func numbers(pcm []byte, begin time.Duration) *gatewayv1.TranscriptSegment {
	s := &gatewayv1.TranscriptSegment{Start: durationpb.New(begin), Confidence: 1}
	var texts []string
	for at := begin; len(pcm) > 0; at += numberTime {
		n := min(numberBytes, len(pcm))
		w := &gatewayv1.TranscribedWord{Text: number(pcm[:n]), Start: durationpb.New(at), End: durationpb.New(at + numberTime), Confidence: 1}
		s.Words, s.End, texts = append(s.Words, w), w.GetEnd(), append(texts, w.GetText())
		pcm = pcm[n:]
	}
	s.Text = strings.Join(texts, " ")
	return s
}

// number returns the value that all samples have.
func number(pcm []byte) string {
	if len(pcm) < 2 {
		return tornNumber
	}
	first := binary.LittleEndian.Uint16(pcm)
	for i := 0; i+1 < len(pcm); i += 2 {
		if binary.LittleEndian.Uint16(pcm[i:]) != first {
			return tornNumber
		}
	}
	return fmt.Sprint(first)
}
