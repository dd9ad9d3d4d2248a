package audio

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/lexilingo/modelgateway/engines/decode"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/helper"
)

// decodeVariable names the program decode-speech if it is not beside this one, as for
// tests.
const decodeVariable = "MG_DECODE_SPEECH"

// nativeMaxDamage is how many packets in a row may be damaged.
const nativeMaxDamage = 64

// nativeTimeout is how long the program may take for an answer, which it computes in
// milliseconds.
var nativeTimeout = 30 * time.Second

// nativeStream decodes the packets of a codec to mono, with the program decode-speech.
type nativeStream struct {
	what    string // the format, for messages
	process *helper.Process
	ctx     context.Context // of the process
	kill    context.CancelFunc
	mixer   *mixer
	rate    int
	count   int // of channels
	damaged int // packets in a row
	out     []float32
}

func newNativeStream(what, codec string, description []byte) (*nativeStream, error) {
	path := os.Getenv(decodeVariable)
	if path == "" {
		path = helper.Beside(decode.Program)
	}
	if _, err := os.Stat(path); err != nil {
		return nil, errs.New(errs.EngineUnavailable, "this server cannot read %s, because the program %s is not installed: %s",
			what, decode.Program, sendSupported).WithCause(err)
	}
	ctx, kill := context.WithCancel(context.Background())
	process, err := helper.Start(ctx, helper.Options{Path: path, Args: []string{codec}})
	if err != nil {
		kill()
		return nil, errs.New(errs.EngineUnavailable, "the program %s does not start: %s", decode.Program, errs.WithoutPath(err)).WithCause(err)
	}
	s := &nativeStream{what: what, process: process, ctx: ctx, kill: kill}
	if _, err := s.exchange(description); err != nil {
		s.close()
		return nil, errs.New(errs.AudioUnreadable, "the %s cannot be decoded: %s; %s", what, err, sendSupported).WithCause(err)
	}
	return s, nil
}

// exchange sends a frame and returns the answer. The program is ended if it takes too long.
func (s *nativeStream) exchange(frame []byte) ([]byte, error) {
	defer time.AfterFunc(nativeTimeout, s.kill).Stop()
	answer, err := s.process.Exchange(frame)
	switch {
	case err != nil && s.ctx.Err() != nil:
		err = fmt.Errorf("%s gave no answer for %v", decode.Program, nativeTimeout)
	case isEnd(err):
		err = errors.New(err.Error()) // the program's end is not that of the recording
	}
	return answer, err
}

// decode implements packetStream.
func (s *nativeStream) decode(packets [][]byte) ([]float32, error) {
	s.out = s.out[:0]
	for some := range slices.Chunk(packets, decode.MaxPackets) {
		if err := s.decodeSome(some); err != nil {
			return nil, err
		}
	}
	return s.out, nil
}

// decodeSome adds the samples of at most decode.MaxPackets packets to s.out.
func (s *nativeStream) decodeSome(packets [][]byte) error {
	frame, err := s.exchange(decode.Packets(packets))
	if err != nil {
		return damaged(s.what + " stream").WithCause(err)
	}
	answer, err := decode.ParseAnswer(frame)
	if err != nil || s.rate != 0 && len(answer.Samples) > 0 && (answer.Rate != s.rate || answer.Channels != s.count) {
		return damaged(s.what + " stream").WithCause(err)
	}
	if s.damaged += answer.Lost; answer.Lost == 0 {
		s.damaged = 0
	}
	if s.damaged > nativeMaxDamage {
		return damaged(s.what + " stream")
	}
	if len(answer.Samples) == 0 {
		return nil
	}
	if s.rate == 0 {
		if answer.Rate < minRate || answer.Rate > maxRate || answer.Channels > maxChannels {
			return damaged(s.what + " stream")
		}
		s.rate, s.count, s.mixer = answer.Rate, answer.Channels, newMixer(answer.Rate, answer.Channels)
	}
	for ; len(answer.Samples) >= s.count; answer.Samples = answer.Samples[s.count:] {
		for c := range s.count {
			s.mixer.in[c] = float64(answer.Samples[c]) / 32768
		}
		s.out = append(s.out, float32(s.mixer.mean()))
	}
	return nil
}

func (s *nativeStream) sampleRate() int { return s.rate }
func (s *nativeStream) channels() int   { return s.count }

func (s *nativeStream) close() {
	s.process.Close()
	s.kill()
}
