// Package speechout turns the samples of an engine into what a caller asked for: another
// sample rate, WAV, or a compressed format. Compressed formats are made by the program
// encode-speech, because the server has no native code.
package speechout

import (
	"context"
	"os/exec"
	"slices"

	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/encode"
	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Program is the name of the program that encodes.
const Program = "encode-speech"

// mp3Rates are the sample rates of MP3, in Hz.
var mp3Rates = []int{8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000}

// codec is a format that the program makes.
type codec struct {
	name             string
	bitrate          int // default; 0: it has none
	lowest, highest  int // bitrate
	onlyRatesOfTable bool
}

var codecs = map[gatewayv1.AudioEncoding]codec{
	gatewayv1.AudioEncoding_AUDIO_ENCODING_MP3:      {name: encode.MP3, bitrate: 64_000, lowest: 8_000, highest: 320_000, onlyRatesOfTable: true},
	gatewayv1.AudioEncoding_AUDIO_ENCODING_OGG_OPUS: {name: encode.OggOpus, bitrate: 32_000, lowest: 6_000, highest: 256_000},
	gatewayv1.AudioEncoding_AUDIO_ENCODING_FLAC:     {name: encode.FLAC},
}

// Check returns an error if speech cannot be encoded so.
func (e Encoder) Check(out *gatewayv1.SpeechOutput) error {
	c, compressed := codecs[out.GetEncoding()]
	rate := int(out.GetSampleRateHertz())
	switch {
	case out.GetBitrate() != 0 && c.bitrate == 0:
		return invalid("output.bitrate", "output.bitrate: only MP3 and Opus have a bitrate; leave it out")
	case out.GetBitrate() != 0 && (int(out.GetBitrate()) < c.lowest || int(out.GetBitrate()) > c.highest):
		return invalid("output.bitrate", "output.bitrate is %d: it must be %d to %d", out.GetBitrate(), c.lowest, c.highest)
	case rate != 0 && c.onlyRatesOfTable && !slices.Contains(mp3Rates, rate):
		return invalid("output.sample_rate_hertz", "output.sample_rate_hertz is %d: MP3 takes one of %v", rate, mp3Rates)
	}
	if !compressed {
		return nil
	}
	if !e.Available() {
		return errs.New(errs.EngineUnavailable, "this server cannot make %s: the program %s is missing; ask for WAV or PCM, or install the program beside modelgateway", c.name, Program)
	}
	return nil
}

// Available reports whether the program is there.
func (e Encoder) Available() bool {
	_, err := exec.LookPath(e.Path)
	return err == nil
}

func invalid(field, format string, args ...any) *errs.Error {
	return errs.New(errs.InvalidRequest, format, args...).With("fields", field)
}

// Stream is the speech of one answer.
type Stream struct {
	rate     int
	resample *audio.PCMResampler
	encoder  *process // nil: the samples are the output
	header   []byte   // before the first samples
}

// NewStream begins an answer whose samples have a rate in Hz. Close must be called.
func (e Encoder) NewStream(ctx context.Context, out *gatewayv1.SpeechOutput, rate int) (*Stream, error) {
	c, compressed := codecs[out.GetEncoding()]
	to := int(out.GetSampleRateHertz())
	if to == 0 {
		to = rate
		if c.onlyRatesOfTable {
			to = nearest(mp3Rates, rate)
		}
	}
	s := &Stream{rate: to, resample: audio.NewPCMResampler(rate, to)}
	if out.GetEncoding() == gatewayv1.AudioEncoding_AUDIO_ENCODING_WAV {
		s.header = audio.WAVHeader(to, audio.UnknownLength)
	}
	if !compressed {
		return s, nil
	}
	bitrate := int(out.GetBitrate())
	if bitrate == 0 {
		bitrate = c.bitrate
	}
	var err error
	s.encoder, err = e.start(ctx, encode.Settings{Format: c.name, Rate: to, Bitrate: bitrate})
	return s, err
}

// nearest returns the rate that is nearest to another one, and not below it if possible.
func nearest(rates []int, to int) int {
	for _, r := range rates {
		if r >= to {
			return r
		}
	}
	return rates[len(rates)-1]
}

// Rate returns the sample rate of the output, in Hz.
func (s *Stream) Rate() int { return s.rate }

// Add adds samples and returns the output that is complete now.
func (s *Stream) Add(pcm []byte) ([]byte, error) { return s.add(s.resample.Process(pcm)) }

// End returns the rest of the output.
func (s *Stream) End() ([]byte, error) {
	out, err := s.add(s.resample.Flush())
	if err != nil || s.encoder == nil {
		return out, err
	}
	rest, err := s.encoder.exchange(nil)
	return append(out, rest...), err
}

func (s *Stream) add(pcm []byte) ([]byte, error) {
	if s.encoder == nil {
		out := append(s.header, pcm...)
		s.header = nil
		return out, nil
	}
	var out []byte
	for piece := range slices.Chunk(pcm, encode.MaxFrame) {
		encoded, err := s.encoder.exchange(piece)
		if err != nil {
			return nil, err
		}
		out = append(out, encoded...)
	}
	return out, nil
}

// Close ends the encoder.
func (s *Stream) Close() {
	if s.encoder != nil {
		s.encoder.Close()
	}
}
