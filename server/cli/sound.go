package cli

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lexilingo/modelgateway/engines/audio"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// speechFormat is an encoding of speech, as --encoding names it.
type speechFormat struct {
	name       string
	extensions []string                // of its files
	asked      gatewayv1.AudioEncoding // of the server
}

// wav has a header that this program writes: it knows the length of a file at its end.
var wav = speechFormat{"wav", []string{".wav"}, gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE}

var speechFormats = []speechFormat{
	wav,
	{"mp3", []string{".mp3"}, gatewayv1.AudioEncoding_AUDIO_ENCODING_MP3},
	{"opus", []string{".opus", ".ogg"}, gatewayv1.AudioEncoding_AUDIO_ENCODING_OGG_OPUS},
	{"flac", []string{".flac"}, gatewayv1.AudioEncoding_AUDIO_ENCODING_FLAC},
	{"pcm", []string{".pcm", ".raw"}, gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE},
}

// samples reports whether the server sends samples, of which the duration is known.
func (f speechFormat) samples() bool {
	return f.asked == gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE
}

// format returns the encoding that the flags ask for, or else the name of the file.
func (c synthesizeCommand) format() (speechFormat, error) {
	name := c.Encoding
	if c.Raw {
		if name != "auto" && name != "pcm" {
			return speechFormat{}, usagef("--raw is --encoding=pcm: leave out one of --raw and --encoding=%s", name)
		}
		name = "pcm"
	}
	ext := strings.ToLower(filepath.Ext(c.Output))
	var known []string
	for _, f := range speechFormats {
		if name == f.name || name == "auto" && slices.Contains(f.extensions, ext) {
			return f, nil
		}
		known = append(known, f.extensions...)
	}
	if ext == "" || !c.toFile() {
		return wav, nil
	}
	last := len(known) - 1
	return speechFormat{}, usagef("%s files cannot be written: name a file with %s or %s, or choose with --encoding", ext, strings.Join(known[:last], ", "), known[last])
}

// soundWriter writes speech as it comes from the server; for WAV, after a header.
type soundWriter struct {
	w      io.Writer
	format speechFormat

	mu   sync.Mutex // another goroutine reads the progress
	rate int32
	size int64 // bytes, without the header
}

// header reports whether the file needs the header of WAV.
func (s *soundWriter) header() bool { return s.format.name == wav.name }

// write writes speech. The first call must pass the sample rate.
func (s *soundWriter) write(speech []byte, rate int32) error {
	if rate > 0 {
		first := s.begin(rate)
		if first && s.header() {
			// The length is not known yet. finish corrects it in a file; in a pipe it stays unknown.
			if _, err := s.w.Write(audio.WAVHeader(int(rate), audio.UnknownLength)); err != nil {
				return err
			}
		}
	}
	if len(speech) == 0 {
		return nil
	}
	_, err := s.w.Write(speech)
	s.mu.Lock()
	s.size += int64(len(speech))
	s.mu.Unlock()
	return err
}

func (s *soundWriter) begin(rate int32) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first = s.rate == 0
	s.rate = rate
	return first
}

// finish writes the length into the header of a file.
func (s *soundWriter) finish() error {
	if s.rate == 0 {
		return errors.New("the server sent no audio")
	}
	if file, ok := s.w.(io.WriterAt); ok && s.header() {
		if _, err := file.WriteAt(audio.WAVHeader(int(s.rate), s.size), 0); err != nil {
			return fmt.Errorf("cannot write the audio: %w", err)
		}
	}
	return nil
}

// amount returns how much speech there is so far: its duration, or if it is compressed
// its size.
func (s *soundWriter) amount() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.format.samples() {
		return size(s.size)
	}
	return roundDuration((time.Duration(s.size/2) * time.Second / time.Duration(max(s.rate, 1))).Round(100 * time.Millisecond))
}

// progress returns how much speech there is so far, as text.
func (s *soundWriter) progress() string {
	s.mu.Lock()
	none := s.size == 0
	s.mu.Unlock()
	if none {
		return "waiting"
	}
	return s.amount() + " of speech"
}
