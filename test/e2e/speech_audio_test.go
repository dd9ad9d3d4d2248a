package e2e

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// badClip is unusual or invalid audio, with the expected result.
type badClip struct {
	name   string
	format *gatewayv1.AudioFormat
	data   []byte
	// length is the duration of the audio in an answer.
	length time.Duration
	// recognize, transcribe and pronounce are the expected reasons of these calls;
	// 0 means success.
	recognize, transcribe, pronounce errs.Reason
	// silent reports whether there is no speech.
	silent bool
}

// readable returns a clip for which all calls succeed.
func readable(name string, format *gatewayv1.AudioFormat, data []byte, length time.Duration) badClip {
	return badClip{name: name, format: format, data: data, length: length}
}

// unreadable returns a clip for which all calls fail.
func unreadable(name string, format *gatewayv1.AudioFormat, data []byte) badClip {
	r := errs.AudioUnreadable
	return badClip{name: name, format: format, data: data, recognize: r, transcribe: r, pronounce: r}
}

// patched returns a copy of a file in which a number of 1, 2 or 4 bytes is
// replaced.
func patched(file []byte, at int, bytes ...byte) []byte {
	out := append([]byte(nil), file...)
	copy(out[at:], bytes)
	return out
}

func badClips() []badClip {
	const rate = 16000
	pcm := tone(rate, 3, 0.5)
	file := wav(rate, pcm)
	random := make([]byte, 64<<10)
	source := rand.NewChaCha8([32]byte{3})
	_, _ = source.Read(random) // never fails
	random[0] = 'x'            // not the magic number of a format
	infinite := binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.Inf(1))))
	notNumbers := strings.Repeat(string(infinite)+"\xff\xff\xff\xff", rate)
	ff := []byte{0xff, 0xff, 0xff, 0xff}
	flac := &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_FLAC}
	floats := &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_F32LE}

	clips := []badClip{
		unreadable("garbage", nil, random),
		unreadable("text", nil, []byte("<!DOCTYPE html><html>404</html>")),
		unreadable("half a header", nil, file[:20]),
		unreadable("a header alone", nil, file[:40]),
		unreadable("another format than declared", flac, file),
		unreadable("a rate of 0", nil, patched(file, 24, 0, 0, 0, 0)),
		unreadable("a rate of 4 GHz", nil, patched(file, 24, ff...)),
		unreadable("65,535 channels", nil, patched(file, 22, ff[:2]...)),
		unreadable("an unknown codec", nil, patched(file, 20, 0x55, 0x01)),
		unreadable("a FLAC of nothing but promises", nil, append([]byte("fLaC\x80\x00\x00\x22"), ff...)),
		unreadable("an empty Ogg", nil, []byte("OggS")),
		readable("cut off", nil, file[:44+len(pcm)/2], 1500*time.Millisecond),
		readable("a length of 4 GiB", nil, patched(file, 40, ff...), 3*time.Second),
		readable("a length of 0", nil, patched(file, 40, 0, 0, 0, 0), 3*time.Second),
		readable("half a sample at the end", pcmFormat(rate), append(pcm[:len(pcm):len(pcm)], 1), 3*time.Second),
		readable("clipped", nil, wav(rate, tone(rate, 3, 40)), 3*time.Second),
		readable("8 kHz", nil, wav(8000, tone(8000, 3, 0.5)), 3*time.Second),
		readable("192 kHz", nil, wav(192000, tone(192000, 3, 0.5)), 3*time.Second),
		{name: "silence", data: wav(rate, make([]byte, 2*3*rate)), length: 3 * time.Second, silent: true},
		{name: "infinities and no numbers", format: floats, data: []byte(notNumbers), length: 2 * time.Second, silent: true},
		{
			name: "empty", recognize: errs.InvalidRequest, transcribe: errs.AudioUnreadable, pronounce: errs.InvalidRequest,
		}, {
			name: "no samples", format: pcmFormat(rate), silent: true, recognize: errs.InvalidRequest, pronounce: errs.InvalidRequest,
		},
		{
			name: "three minutes", data: wav(rate, longTone(rate, 18)), length: 3 * time.Minute,
			pronounce: errs.InvalidRequest, // beyond the model's max_seconds
		},
	}
	return clips
}

// For any audio, the call ends with a typed error or the right answer. The worker
// stays alive and other requests are answered.
func TestBadAudio(t *testing.T) {
	s := start(t, speechModels)
	beside := s.answerBeside(t)
	whisper, hubert := s.life(t, "whisper"), s.life(t, "hubert")
	for _, c := range badClips() {
		t.Run(c.name, func(t *testing.T) { c.try(t, s) })
	}
	if n := beside(); n < 3 {
		t.Errorf("%d other requests were answered meanwhile", n)
	}
	if now := s.life(t, "whisper"); now != whisper {
		t.Errorf("engine-whisper: before %v, after %v", whisper, now)
	}
	if now := s.life(t, "hubert"); now != hubert {
		t.Errorf("engine-hubert: before %v, after %v", hubert, now)
	}
}

// try makes all three calls with the clip.
func (c *badClip) try(t *testing.T, s *server) {
	cfg := &gatewayv1.TranscriptionConfig{Format: c.format, Language: "en"}
	ctx := within(t, patience)
	began := time.Now()
	clip, err := s.recognize(ctx, cfg, c.data)
	c.check(t, "Recognize", err, c.recognize)
	if err == nil {
		c.checkTranscript(t, "Recognize", clip.GetTranscript())
	}
	stream, err := s.transcribe(ctx, cfg, c.data, 1<<20)
	c.check(t, "Transcribe", err, c.transcribe)
	if err == nil {
		c.checkTranscript(t, "Transcribe", stream.GetTranscript())
	}
	scores, err := s.pronounce(ctx, c.format, c.data, spoken)
	c.check(t, "Pronunciation", err, c.pronounce)
	if err == nil {
		checkScores(t, scores, c.length)
	}
	t.Logf("%v", time.Since(began).Round(time.Millisecond))
}

func (c *badClip) check(t *testing.T, call string, err error, want errs.Reason) {
	t.Helper()
	if got := errs.ReasonOf(err); got != want {
		t.Errorf("%s ended with %v, want %v", call, err, errs.ReasonName(want))
	}
}

func (c *badClip) checkTranscript(t *testing.T, call string, got *gatewayv1.Transcript) {
	t.Helper()
	if d := got.GetAudioDuration().AsDuration(); (d - c.length).Abs() > 20*time.Millisecond {
		t.Errorf("%s processed %v, want %v", call, d, c.length)
	}
	if c.silent && (got.GetText() != "" || len(got.GetSegments()) > 0) {
		t.Errorf("%s transcribed silence as %q", call, got.GetText())
	}
}

// answerBeside repeats the same valid requests until the returned function is
// called, but at least three times. That function returns how many were answered.
func (s *server) answerBeside(t *testing.T) (stop func() int64) {
	t.Helper()
	clip := wav(16000, tone(16000, 1, 0.5))
	cfg := &gatewayv1.TranscriptionConfig{Language: "en"}
	ask := func(ctx context.Context) (*gatewayv1.Transcript, *gatewayv1.PronunciationResponse, error) {
		heard, err := s.recognize(ctx, cfg, clip)
		if err != nil {
			return nil, nil, err
		}
		scores, err := s.pronounce(ctx, nil, clip, spoken)
		if err != nil {
			return nil, nil, err
		}
		scores.ServedBy = nil
		return heard.GetTranscript(), scores, nil
	}
	ctx := within(t, patience)
	transcript, scores, err := ask(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var rounds atomic.Int64
	enough := make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() {
		for {
			select {
			case <-enough:
				if rounds.Load() >= 3 {
					return
				}
			default:
			}
			heard, judged, err := ask(ctx)
			if err != nil || !proto.Equal(heard, transcript) || !proto.Equal(judged, scores) {
				t.Errorf("meanwhile: %v, %v, %v; want %v, %v", err, heard, judged, transcript, scores)
				return
			}
			rounds.Add(1)
		}
	})
	end := sync.OnceFunc(func() {
		close(enough)
		asking.Wait()
	})
	t.Cleanup(end)
	return func() int64 {
		end()
		return rounds.Load()
	}
}
