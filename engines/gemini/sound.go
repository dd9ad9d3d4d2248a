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
	// maxHeard is the longest sound that is sent: as WAV in base64 it stays below
	// the 20 MB that the API takes in one request.
	maxHeard = 7*time.Minute + 30*time.Second

	// maxSounds bounds the bytes of samples in all requests under way, because each
	// holds its sound several times over while it is encoded; more requests wait.
	maxSounds = 20 << 20

	// The rates of speech that are believed, and the one where none is told.
	minRate, maxRate, defaultRate = 8000, 192000, 24000

	bytesPerSample = 2
)

// takeSound waits until so many bytes of samples may be at work.
func (m *model) takeSound(ctx context.Context, bytes int) (giveBack func(), err error) {
	weight := int64(min(bytes, maxSounds))
	if err := m.sounds.Acquire(ctx, weight); err != nil {
		return nil, err
	}
	return func() { m.sounds.Release(weight) }, nil
}

// heard reads a sound to its end, as 16-bit samples at audio.SampleRate.
func heard(ctx context.Context, format *gatewayv1.AudioFormat, source audio.Source) ([]byte, error) {
	r := audio.NewReader(format, source, audio.Limits{MaxDuration: maxHeard})
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

// bytesSource is a whole clip as an audio.Source.
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

// listen asks the text model about a sound, with an answer of a JSON schema.
func (m *model) listen(ctx context.Context, pcm []byte, instruction, question string, schema map[string]any) (*answer, error) {
	wav := append(audio.WAVHeader(audio.SampleRate, int64(len(pcm))), pcm...)
	config, err := m.config(nil, false)
	if err != nil {
		return nil, err
	}
	config.Temperature = genai.Ptr[float32](0)
	config.MaxOutputTokens = maxHeardTokens
	config.SystemInstruction = &genai.Content{Parts: []*genai.Part{{Text: instruction}}}
	hold(config, schema)
	contents := []*genai.Content{genai.NewContentFromParts([]*genai.Part{
		genai.NewPartFromBytes(wav, "audio/wav"), genai.NewPartFromText(question),
	}, genai.RoleUser)}
	a, err := m.client.generate(ctx, m.parameters.Model, contents, config, maxTextAnswer)
	if err != nil {
		return nil, err
	}
	return a, a.whole()
}

// maxHeardTokens bounds what is answered to a sound: the longest one, spoken
// fast, has some 1,500 words.
const maxHeardTokens = 16384

// length is how long so many bytes of samples last.
func length(bytes, rate int) time.Duration {
	return time.Duration(bytes/bytesPerSample) * time.Second / time.Duration(rate)
}

// spoken takes the samples out of an answer's sound: raw ones, as older models
// return them, or a whole WAV file, as newer ones do. The bytes decide, and for
// raw ones the MIME type tells the rate.
func spoken(a *answer) (pcm []byte, rate int, err error) {
	if len(a.sound) == 0 {
		return nil, 0, errs.New(errs.EngineCrashed, "Gemini answered no sound; try again")
	}
	if len(a.sound) >= 12 && string(a.sound[:4]) == "RIFF" && string(a.sound[8:12]) == "WAVE" {
		return unwrap(a.sound)
	}
	kind, params, err := mime.ParseMediaType(a.mime)
	if err != nil || !strings.EqualFold(kind, "audio/l16") && !strings.EqualFold(kind, "audio/pcm") {
		return nil, 0, badSound("a sound of the type " + shorten(a.mime, maxWord))
	}
	rate = defaultRate
	if text, ok := params["rate"]; ok {
		if rate, err = strconv.Atoi(text); err != nil {
			return nil, 0, badSound("a sound of no known rate")
		}
	}
	return checked(a.sound, rate)
}

// unwrap takes the samples out of a WAV file of 16-bit mono PCM.
func unwrap(wav []byte) (pcm []byte, rate int, err error) {
	for rest := wav[12:]; len(rest) >= 8; {
		id, size := string(rest[:4]), int64(binary.LittleEndian.Uint32(rest[4:8]))
		rest = rest[8:]
		body := rest[:min(size, int64(len(rest)))] // sizes of files made while they were written are not true
		switch id {
		case "fmt ":
			if len(body) < 16 {
				return nil, 0, badSound("a broken WAV file")
			}
			format, channels := binary.LittleEndian.Uint16(body), binary.LittleEndian.Uint16(body[2:])
			bits := binary.LittleEndian.Uint16(body[14:])
			if format != 1 || channels != 1 || bits != 8*bytesPerSample {
				return nil, 0, badSound("a WAV file of other than 16-bit mono PCM")
			}
			rate = int(binary.LittleEndian.Uint32(body[4:]))
		case "data":
			return checked(body, rate)
		}
		rest = rest[min(size+size%2, int64(len(rest))):]
	}
	return nil, 0, badSound("a WAV file without samples")
}

// checked cuts half a sample at the end and refuses rates that cannot be.
func checked(pcm []byte, rate int) ([]byte, int, error) {
	if rate < minRate || rate > maxRate {
		return nil, 0, badSound("a sound of the rate " + strconv.Itoa(rate))
	}
	return pcm[:len(pcm)/bytesPerSample*bytesPerSample], rate, nil
}

func badSound(what string) error {
	return errs.New(errs.Internal, "Gemini answered %s, which cannot be read; set another speech_model", what)
}
