package gemini

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"mime"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genai"

	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const (
	// maxSound is the longest sound that is sent. As WAV in base64 it is smaller
	// than 20 MB, the API's limit of a request.
	maxSound = 7*time.Minute + 30*time.Second

	// maxSounds limits the bytes of samples in all running requests; further
	// requests wait. A request holds several copies of its sound while it is
	// encoded.
	maxSounds = 20 << 20

	// Valid sample rates of the API's speech, and the one if it states none.
	minRate, maxRate, defaultRate = 8000, 192000, 24000

	bytesPerSample = 2
)

// acquireSound waits until a request with this many bytes of samples may run. The
// caller must call release after it.
func (m *model) acquireSound(ctx context.Context, bytes int) (release func(), err error) {
	weight := int64(min(bytes, maxSounds))
	if err := m.sounds.Acquire(ctx, weight); err != nil {
		return nil, err
	}
	return func() { m.sounds.Release(weight) }, nil
}

// readSound reads a sound to its end, but for its first part. It returns 16-bit samples at
// audio.SampleRate.
func readSound(ctx context.Context, format *gatewayv1.AudioFormat, source audio.Source, skip time.Duration) ([]byte, error) {
	r := audio.NewReader(format, source, audio.Limits{MaxDuration: maxSound})
	r.Skip(skip)
	defer func() { _ = r.Close() }()
	var pcm []byte
	buf := make([]float32, 8192)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, err := r.Read(buf)
		pcm = append(pcm, audio.EncodePCM16(buf[:n])...)
		if errors.Is(err, io.EOF) {
			return pcm, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// bytesSource is an audio.Source over a clip in memory.
type bytesSource struct{ clip []byte }

// Next implements audio.Source.
func (s *bytesSource) Next() ([]byte, error) {
	if len(s.clip) == 0 {
		return nil, io.EOF
	}
	n := min(len(s.clip), 32<<10)
	piece := s.clip[:n]
	s.clip = s.clip[n:]
	return piece, nil
}

// listen asks the text model a question about a sound. The answer is JSON of the
// schema.
func (m *model) listen(ctx context.Context, pcm []byte, instruction, question string, schema map[string]any) (*answer, error) {
	wav := append(audio.WAVHeader(audio.SampleRate, int64(len(pcm))), pcm...)
	config, err := m.config(nil, false)
	if err != nil {
		return nil, err
	}
	config.Temperature = genai.Ptr[float32](0)
	config.MaxOutputTokens = maxListenTokens
	config.SystemInstruction = &genai.Content{Parts: []*genai.Part{{Text: instruction}}}
	requireSchema(config, schema)
	contents := []*genai.Content{genai.NewContentFromParts([]*genai.Part{
		genai.NewPartFromBytes(wav, "audio/wav"), genai.NewPartFromText(question),
	}, genai.RoleUser)}
	a, err := m.client.generate(ctx, m.parameters.Model, contents, config, maxTextAnswer)
	if err != nil {
		return nil, err
	}
	return a, a.complete()
}

// maxListenTokens is the limit of an answer about a sound. The longest sound has
// about 1,500 words if they are spoken fast.
const maxListenTokens = 16384

// length returns the duration of this many bytes of samples.
func length(bytes, rate int) time.Duration {
	return time.Duration(bytes/bytesPerSample) * time.Second / time.Duration(rate)
}

// samplesOf returns the samples of an answer's sound. Older models return raw
// samples, whose MIME type states the rate; newer ones a WAV file. The bytes decide
// which it is.
func samplesOf(a *answer) (pcm []byte, rate int, err error) {
	if len(a.sound) == 0 {
		return nil, 0, errs.New(errs.EngineCrashed, "Gemini returned no sound: try again")
	}
	if len(a.sound) >= 12 && string(a.sound[:4]) == "RIFF" && string(a.sound[8:12]) == "WAVE" {
		return wavSamples(a.sound)
	}
	kind, params, err := mime.ParseMediaType(a.mime)
	if err != nil || !strings.EqualFold(kind, "audio/l16") && !strings.EqualFold(kind, "audio/pcm") {
		return nil, 0, badSound("sound of type " + strconv.Quote(shorten(a.mime, maxWord)))
	}
	rate = defaultRate
	if text, ok := params["rate"]; ok {
		if rate, err = strconv.Atoi(text); err != nil {
			return nil, 0, badSound("sound without a valid sample rate")
		}
	}
	return checkSamples(a.sound, rate)
}

// wavSamples returns the samples of a WAV file of 16-bit mono PCM.
func wavSamples(wav []byte) (pcm []byte, rate int, err error) {
	for rest := wav[12:]; len(rest) >= 8; {
		id, size := string(rest[:4]), int64(binary.LittleEndian.Uint32(rest[4:8]))
		rest = rest[8:]
		body := rest[:min(size, int64(len(rest)))] // streamed files have wrong sizes
		switch id {
		case "fmt ":
			if len(body) < 16 {
				return nil, 0, badSound("a damaged WAV file")
			}
			format, channels := binary.LittleEndian.Uint16(body), binary.LittleEndian.Uint16(body[2:])
			bits := binary.LittleEndian.Uint16(body[14:])
			if format != 1 || channels != 1 || bits != 8*bytesPerSample {
				return nil, 0, badSound("a WAV file that is not 16-bit mono PCM")
			}
			rate = int(binary.LittleEndian.Uint32(body[4:]))
		case "data":
			return checkSamples(body, rate)
		}
		rest = rest[min(size+size%2, int64(len(rest))):]
	}
	return nil, 0, badSound("a WAV file without samples")
}

// checkSamples checks the rate and removes an incomplete sample at the end.
func checkSamples(pcm []byte, rate int) ([]byte, int, error) {
	if rate < minRate || rate > maxRate {
		return nil, 0, badSound("sound at " + strconv.Itoa(rate) + " Hz")
	}
	return pcm[:len(pcm)/bytesPerSample*bytesPerSample], rate, nil
}

func badSound(what string) error {
	return errs.New(errs.Internal, "Gemini returned %s, which is not supported: set another speech_model", what)
}
