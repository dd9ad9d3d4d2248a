package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Speech is synthesized, transcribed and scored over every protocol, always with
// the same results.
func TestSpeechRoundTrip(t *testing.T) {
	s := start(t, speechModels)
	said := s.say(t, sentences)
	checkServedBy(t, "the speech", said.servedBy, "piper")
	if len(said.begun) != 2 || said.pieces < 2 || !strings.Contains(said.begun[1], "black cat") {
		t.Errorf("%d pieces start the sentences %q, want two sentences", said.pieces, said.begun)
	}
	if d := said.duration(); said.rate < 8000 || d < time.Second || d > 20*time.Second || quietest(said.pcm) {
		t.Fatalf("%v of audio at %d Hz for %q", d, said.rate, sentences)
	}
	t.Run("speech over REST", func(t *testing.T) { restSpeech(t, s, said) })
	t.Run("transcript", func(t *testing.T) { roundTripTranscript(t, s, said) })
	t.Run("live", func(t *testing.T) { roundTripLive(t, s, said) })
	t.Run("pronunciation", func(t *testing.T) { roundTripPronunciation(t, s, s.say(t, spoken)) })
	for _, model := range []string{"whisper", "piper", "hubert"} {
		if n := s.life(t, model).loads; n != 1 {
			t.Errorf("%s was loaded %d times, want 1", model, n)
		}
	}
}

// quietest reports whether samples are silent.
func quietest(pcm []byte) bool {
	return !slices.ContainsFunc(pcm, func(b byte) bool { return b != 0 })
}

// parseWAV checks the header of a WAV file with 16-bit mono samples and a length.
func parseWAV(t *testing.T, file []byte) (rate int, pcm []byte) {
	t.Helper()
	if len(file) < 44 {
		t.Fatalf("a WAV of %d bytes", len(file))
	}
	le := binary.LittleEndian
	rate = int(le.Uint32(file[24:]))
	switch {
	case string(file[:4]) != "RIFF" || string(file[8:16]) != "WAVEfmt " || string(file[36:40]) != "data":
		t.Fatalf("no WAV header: %q", file[:44])
	case le.Uint32(file[16:]) != 16 || le.Uint16(file[20:]) != 1 || le.Uint16(file[22:]) != 1 || le.Uint16(file[34:]) != 16:
		t.Fatalf("not 16-bit mono PCM: %x", file[:44])
	case int(le.Uint32(file[28:])) != 2*rate || le.Uint16(file[32:]) != 2:
		t.Fatalf("wrong bytes per second or per frame: %x", file[:44])
	case int(le.Uint32(file[4:])) != len(file)-8 || int(le.Uint32(file[40:])) != len(file)-44:
		t.Fatalf("lengths %d and %d in a file of %d bytes", le.Uint32(file[4:]), le.Uint32(file[40:]), len(file))
	}
	return rate, file[44:]
}

func restSpeech(t *testing.T, s *server, want *speech) {
	body := fmt.Appendf(nil, `{"text": %q, "noise_scale": 0, "noise_w": 0}`, sentences)
	check := func(what string, rate int, pcm []byte) {
		t.Helper()
		if rate != want.rate || !bytes.Equal(pcm, want.pcm) {
			t.Errorf("%s: %d bytes at %d Hz, want the same %d bytes at %d Hz", what, len(pcm), rate, len(want.pcm), want.rate)
		}
	}
	resp, file := s.exchange(t, "/v1/synthesize", "application/json", "audio/wav", body)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "audio/wav" || resp.Header.Get("X-Modelgateway-Model") != "piper" {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	rate, pcm := parseWAV(t, file)
	check("audio/wav", rate, pcm)

	resp, pcm = s.exchange(t, "/v1/synthesize", "application/json", "audio/pcm", body)
	told := fmt.Sprintf("audio/pcm;rate=%d;channels=1;encoding=s16le", want.rate)
	if resp.Header.Get("Content-Type") != told || resp.Trailer.Get("X-Modelgateway-Model") != "piper" {
		t.Errorf("%v %v, want %s and a trailer with the model", resp.Header, resp.Trailer, told)
	}
	check("audio/pcm", want.rate, pcm)

	_, lines := s.exchange(t, "/v1/synthesize", "application/json", "application/json", body)
	all := &speech{}
	for line := range strings.Lines(string(lines)) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		piece := &gatewayv1.SynthesizeResponse{}
		inner := strings.TrimSuffix(strings.TrimPrefix(line, `{"result":`), "}")
		if err := protojson.Unmarshal([]byte(inner), piece); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		all.add(piece)
	}
	check("JSON", all.rate, all.pcm)
	checkServedBy(t, "the speech in JSON", all.servedBy, "piper")
	if !slices.Equal(all.begun, want.begun) {
		t.Errorf("sentences %q in JSON, %q over gRPC", all.begun, want.begun)
	}
}

// form returns a form with a file and fields, and its media type.
func form(t *testing.T, file []byte, fields map[string]string) (contentType string, body []byte) {
	t.Helper()
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for name, value := range fields {
		if err := w.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("file", "said.wav")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write(file); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), buf.Bytes()
}

func roundTripTranscript(t *testing.T, s *server, said *speech) {
	file := said.wav()
	cfg := &gatewayv1.TranscriptionConfig{Language: "en", WordTimestamps: true}
	ctx := within(t, patience)
	clip, err := s.recognize(ctx, cfg, file)
	if err != nil {
		t.Fatal(err)
	}
	want := clip.GetTranscript()
	checkServedBy(t, "the clip", clip.GetServedBy(), "whisper")
	checkTranscript(t, want, said.duration())

	// Pieces of odd size, so that samples and the header are split anywhere.
	streamed, err := s.transcribe(ctx, cfg, file, 1237)
	if err != nil {
		t.Fatal(err)
	}
	checkServedBy(t, "the stream", streamed.GetServedBy(), "whisper")
	same(t, "the transcript of the stream", streamed.GetTranscript(), want)
	raw := &gatewayv1.TranscriptionConfig{Language: "en", WordTimestamps: true, Format: pcmFormat(int32(said.rate))} //nolint:gosec // a sample rate
	samples, err := s.transcribe(ctx, raw, said.pcm, 4096)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the transcript of raw samples", samples.GetTranscript(), want)

	options := "?language=en&word_timestamps=true"
	inJSON := fmt.Appendf(nil, `{"config": {"language": "en", "word_timestamps": true}, "audio": %q}`, base64.StdEncoding.EncodeToString(file))
	multipartType, multipartBody := form(t, file, map[string]string{"language": "en", "word_timestamps": "true"})
	for _, way := range []struct {
		name, path, contentType string
		body                    []byte
	}{
		{"JSON", "/v1/transcribe", "application/json", inJSON},
		{"a body", "/v1/transcribe" + options, "audio/wav", file},
		{"a form", "/v1/transcribe", multipartType, multipartBody},
		{"raw samples", "/v1/transcribe" + options, fmt.Sprintf("audio/l16;rate=%d", said.rate), said.pcm},
	} {
		resp, body := s.exchange(t, way.path, way.contentType, "", way.body)
		got := message(t, resp, body, &gatewayv1.RecognizeResponse{})
		same(t, "the transcript of "+way.name+" over REST", got.GetTranscript(), want)
		checkServedBy(t, way.name+" over REST", got.GetServedBy(), "whisper")
	}
}

// checkTranscript checks properties that a transcript of any model has.
func checkTranscript(t *testing.T, got *gatewayv1.Transcript, length time.Duration) {
	t.Helper()
	if d := got.GetAudioDuration().AsDuration(); (d - length).Abs() > 10*time.Millisecond {
		t.Errorf("%v of audio, want %v", d, length)
	}
	if got.GetLanguage() != "en" {
		t.Errorf("language %q, want en", got.GetLanguage())
	}
	var texts []string
	var before time.Duration
	for _, segment := range got.GetSegments() {
		begin, end := segment.GetStart().AsDuration(), segment.GetEnd().AsDuration()
		// A segment may end with its window.
		if begin < before || end < begin || end > 30*time.Second || segment.GetConfidence() < 0 || segment.GetConfidence() > 1 {
			t.Errorf("segment %v after %v", segment, before)
		}
		before = begin
		texts = append(texts, segment.GetText())
		if len(segment.GetWords()) == 0 {
			t.Errorf("segment %v has no words", segment)
		}
	}
	// A word may continue in the next segment.
	if joined := strings.Join(texts, ""); strings.Join(strings.Fields(got.GetText()), "") != strings.Join(strings.Fields(joined), "") {
		t.Errorf("text %q, segments %q", got.GetText(), joined)
	}
}

// roundTripLive uses interim results, and pushes audio as with gRPC-Web.
func roundTripLive(t *testing.T, s *server, said *speech) {
	cfg := &gatewayv1.TranscriptionConfig{Language: "en", InterimResults: true}
	ctx := within(t, patience)
	stream, err := s.models.StreamTranscribe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Config{Config: cfg}}); err != nil {
		t.Fatal(err)
	}
	for piece := range slices.Chunk(said.wav(), 16<<10) {
		if err := stream.Send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Audio{Audio: piece}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	var last *gatewayv1.StreamTranscribeResponse
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		last = m
	}
	checkServedBy(t, "the live stream", last.GetServedBy(), "whisper")
	if d := last.GetEvent().GetFinal().GetAudioDuration().AsDuration(); (d - said.duration()).Abs() > 10*time.Millisecond {
		t.Errorf("the live stream processed %v, want %v", d, said.duration())
	}

	whole, err := s.transcribe(ctx, &gatewayv1.TranscriptionConfig{Language: "en"}, said.wav(), 16<<10)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the transcript of pushed audio", s.push(t, &gatewayv1.TranscriptionConfig{Language: "en"}, said.wav()), whole.GetTranscript())
}

// push transcribes with an open session. Every second piece is sent twice, and
// pairs are in the wrong order.
func (s *server) push(t *testing.T, cfg *gatewayv1.TranscriptionConfig, clip []byte) *gatewayv1.Transcript {
	t.Helper()
	ctx := within(t, patience)
	events, err := s.models.OpenTranscription(ctx, &gatewayv1.OpenTranscriptionRequest{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	greeting, err := events.Recv()
	if err != nil {
		t.Fatal(err)
	}
	pieces := slices.Collect(slices.Chunk(clip, 9001))
	send := func(i int) {
		t.Helper()
		_, err := s.models.PushAudio(ctx, &gatewayv1.PushAudioRequest{
			SessionId: greeting.GetSessionId(), Sequence: int64(i), Audio: pieces[i], Last: i == len(pieces)-1,
		})
		if err != nil {
			t.Fatalf("piece %d: %v", i, err)
		}
	}
	for i := 0; i < len(pieces); i += 2 {
		if i+1 < len(pieces) {
			send(i + 1)
			if i+2 < len(pieces) { // the session ends with the last piece
				send(i + 1)
			}
		}
		send(i)
	}
	for {
		m, err := events.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if final := m.GetEvent().GetFinal(); final != nil {
			checkServedBy(t, "the session", m.GetServedBy(), "whisper")
			return final
		}
	}
}

func roundTripPronunciation(t *testing.T, s *server, said *speech) {
	file := said.wav()
	ctx := within(t, patience)
	want, err := s.pronounce(ctx, nil, file, spoken)
	if err != nil {
		t.Fatal(err)
	}
	checkServedBy(t, "the scores", want.GetServedBy(), "hubert")
	checkScores(t, want, said.duration())
	want.ServedBy = nil

	inJSON := fmt.Appendf(nil, `{"reference_text": %q, "audio": %q}`, spoken, base64.StdEncoding.EncodeToString(file))
	multipartType, multipartBody := form(t, file, map[string]string{"reference_text": spoken})
	for _, way := range []struct {
		name, path, contentType string
		body                    []byte
	}{
		{"JSON", "/v1/pronunciation", "application/json", inJSON},
		{"a body", "/v1/pronunciation?reference_text=" + strings.ReplaceAll(spoken, " ", "%20"), "audio/wav", file},
		{"a form", "/v1/pronunciation", multipartType, multipartBody},
	} {
		resp, body := s.exchange(t, way.path, way.contentType, "", way.body)
		got := message(t, resp, body, &gatewayv1.PronunciationResponse{})
		checkServedBy(t, way.name+" over REST", got.GetServedBy(), "hubert")
		got.ServedBy = nil
		same(t, "the scores of "+way.name+" over REST", got, want)
	}
	raw, err := s.pronounce(ctx, pcmFormat(int32(said.rate)), said.pcm, spoken) //nolint:gosec // a sample rate
	if err != nil {
		t.Fatal(err)
	}
	raw.ServedBy = nil
	same(t, "the scores of raw samples", raw, want)
}

// checkScores checks properties that scores of any model have.
func checkScores(t *testing.T, got *gatewayv1.PronunciationResponse, length time.Duration) {
	t.Helper()
	var text []string
	for _, w := range got.GetWords() {
		if w.GetErrorType() == gatewayv1.PronunciationErrorType_PRONUNCIATION_ERROR_TYPE_INSERTION {
			continue
		}
		text = append(text, strings.ToLower(strings.Trim(w.GetText(), ".")))
		if begin, end := w.GetStart().AsDuration(), w.GetEnd().AsDuration(); begin < 0 || end < begin || end > length+50*time.Millisecond {
			t.Errorf("word %v in %v of audio", w, length)
		}
		left := w.GetErrorType() == gatewayv1.PronunciationErrorType_PRONUNCIATION_ERROR_TYPE_OMISSION
		if s := w.GetScore(); s < 0 || s > 100 || left != (len(w.GetUnits()) == 0) {
			t.Errorf("word %v", w)
		}
	}
	if joined := strings.Join(text, " ") + "."; len(text) != words || joined != strings.ToLower(spoken) {
		t.Errorf("scored %q, want %q", joined, spoken)
	}
	for _, s := range []float32{got.GetOverallScore(), got.GetAccuracyScore(), got.GetFluencyScore(), got.GetCompletenessScore()} {
		if s < 0 || s > 100 {
			t.Errorf("a score of %v", s)
		}
	}
	if d := got.GetAudioDuration().AsDuration(); (d - length).Abs() > 10*time.Millisecond {
		t.Errorf("%v of audio, want %v", d, length)
	}
	if got.GetEstimated() || got.GetUnit() == gatewayv1.PronunciationUnit_PRONUNCIATION_UNIT_UNSPECIFIED {
		t.Errorf("estimated %v, unit %v", got.GetEstimated(), got.GetUnit())
	}
}
