package transcripts

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func ms(n int) *durationpb.Duration { return durationpb.New(time.Duration(n) * time.Millisecond) }

var transcript = &gatewayv1.Transcript{
	Text: "Hello there. A < B & C.", Language: "en", AudioDuration: ms(3_725_250),
	Segments: []*gatewayv1.TranscriptSegment{
		{Text: "Hello there.", Start: ms(0), End: ms(1500), Confidence: 0.5, Words: []*gatewayv1.TranscribedWord{
			{Text: "Hello", Start: ms(0), End: ms(700)}, {Text: "there.", Start: ms(700), End: ms(1500)},
		}},
		{Text: "A < B & C.", Start: ms(3_723_004), End: ms(3_725_250)},
	},
}

func TestFormats(t *testing.T) {
	for name, c := range map[string]struct{ got, want string }{
		"text": {Text(transcript), "Hello there. A < B & C.\n"},
		"srt":  {SRT(transcript), "1\n00:00:00,000 --> 00:00:01,500\nHello there.\n\n2\n01:02:03,004 --> 01:02:05,250\nA < B & C.\n\n"},
		"vtt":  {VTT(transcript), "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHello there.\n\n01:02:03.004 --> 01:02:05.250\nA &lt; B &amp; C.\n\n"},
		"none": {SRT(&gatewayv1.Transcript{}) + VTT(&gatewayv1.Transcript{}), "WEBVTT\n\n"},
		"line ends": {
			SRT(&gatewayv1.Transcript{Segments: []*gatewayv1.TranscriptSegment{{Text: "a\n\n2\nb", End: ms(1)}}}),
			"1\n00:00:00,000 --> 00:00:00,001\na 2 b\n\n",
		},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", name, c.got, c.want)
		}
	}
}

func TestVerbose(t *testing.T) {
	v := VerboseOf(transcript, true)
	joined := ""
	for _, s := range v.Segments {
		joined += s.Text
	}
	if joined != transcript.GetText() || v.Task != "translate" || v.Duration != 3725.25 || v.Usage.Seconds != 3726 || len(v.Words) != 2 || v.Words[1].Start != 0.7 {
		t.Errorf("%q, %+v", joined, v)
	}
	if s := v.Segments[0]; s.AvgLogprob > -0.69 || s.AvgLogprob < -0.70 || s.CompressionRatio <= 0 {
		t.Errorf("%+v", s)
	}
	text, err := json.Marshal(VerboseOf(&gatewayv1.Transcript{}, false))
	if err != nil || !strings.Contains(string(text), `"segments":[]`) || strings.Contains(string(text), "words") {
		t.Errorf("%s, %v", text, err)
	}
}
