package transcripts

import (
	"bytes"
	"compress/zlib"
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Verbose is a transcript as the verbose_json of OpenAI's API. Times are in seconds.
type Verbose struct {
	Task     string    `json:"task"`
	Language string    `json:"language"`
	Duration float64   `json:"duration"`
	Text     string    `json:"text"`
	Segments []Segment `json:"segments"`
	Words    []Word    `json:"words,omitempty"`
	Usage    Usage     `json:"usage"`
}

// Segment is a segment of a Verbose. The engines do not tell its tokens, nor how
// probable silence is: these fields are constant.
type Segment struct {
	ID               int     `json:"id"`
	Seek             int     `json:"seek"`
	Start            float64 `json:"start"`
	End              float64 `json:"end"`
	Text             string  `json:"text"`
	Tokens           []int   `json:"tokens"`
	Temperature      float64 `json:"temperature"`
	AvgLogprob       float64 `json:"avg_logprob"`
	CompressionRatio float64 `json:"compression_ratio"`
	NoSpeechProb     float64 `json:"no_speech_prob"`
}

// Word is a word of a Verbose.
type Word struct {
	Word  string  `json:"word"`
	Start float64 `json:"start"`
	End   float64 `json:"end"`
}

// Usage is how much audio was transcribed.
type Usage struct {
	Type    string `json:"type"`
	Seconds int64  `json:"seconds"`
}

// UsageOf returns the length of a transcript's audio in whole seconds.
func UsageOf(t *gatewayv1.Transcript) Usage {
	return Usage{Type: "duration", Seconds: int64(math.Ceil(t.GetAudioDuration().AsDuration().Seconds()))}
}

// VerboseOf returns a transcript as verbose JSON. It has the words if the transcript has.
// As in OpenAI's, the texts of the segments joined are the whole text.
func VerboseOf(t *gatewayv1.Transcript, translated bool) *Verbose {
	v := &Verbose{
		Task: "transcribe", Language: t.GetLanguage(), Duration: seconds(t.GetAudioDuration()), Text: t.GetText(),
		Segments: []Segment{}, Usage: UsageOf(t),
	}
	if translated {
		v.Task = "translate"
	}
	left := t.GetText()
	for i, s := range t.GetSegments() {
		text := s.GetText()
		if at := strings.Index(left, text); at >= 0 {
			text, left = left[:at+len(text)], left[at+len(text):]
		}
		v.Segments = append(v.Segments, Segment{
			ID: i, Start: seconds(s.GetStart()), End: seconds(s.GetEnd()), Text: text, Tokens: []int{},
			AvgLogprob: logprob(s.GetConfidence()), CompressionRatio: compressionRatio(text),
		})
		for _, w := range s.GetWords() {
			v.Words = append(v.Words, Word{Word: w.GetText(), Start: seconds(w.GetStart()), End: seconds(w.GetEnd())})
		}
	}
	return v
}

// seconds returns a time in seconds, exact to a millisecond.
func seconds(d *durationpb.Duration) float64 {
	return float64(d.AsDuration().Round(time.Millisecond)/time.Millisecond) / 1000
}

// logprob returns the logarithm of a mean probability; 0 if it is not known.
func logprob(p float32) float64 {
	if p <= 0 {
		return 0
	}
	return math.Log(float64(p))
}

// compressionRatio tells text that repeats itself, as Whisper's does: by how much it
// shrinks.
func compressionRatio(text string) float64 {
	if text == "" {
		return 0
	}
	var out bytes.Buffer
	zip := zlib.NewWriter(&out)
	_, err := zip.Write([]byte(text))
	if err != nil || zip.Close() != nil || out.Len() == 0 { // a buffer takes everything
		return 0
	}
	return float64(len(text)) / float64(out.Len())
}
