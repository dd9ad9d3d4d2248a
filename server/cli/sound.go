package cli

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/google/renameio/v2"

	"github.com/lexilingo/modelgateway/engines/audio"
)

// soundWriter writes mono 16-bit samples, after a WAV header unless raw is set.
type soundWriter struct {
	w   io.Writer
	raw bool

	mu   sync.Mutex // another goroutine reads the progress
	rate int32
	size int64 // bytes of samples
}

// write writes samples. The first call must pass the sample rate.
func (s *soundWriter) write(pcm []byte, rate int32) error {
	if rate > 0 {
		first := s.begin(rate)
		if first && !s.raw {
			// The length is not known yet. finish corrects it in a file; in a pipe it stays unknown.
			if _, err := s.w.Write(audio.WAVHeader(int(rate), audio.UnknownLength)); err != nil {
				return err
			}
		}
	}
	if len(pcm) == 0 {
		return nil
	}
	_, err := s.w.Write(pcm)
	s.mu.Lock()
	s.size += int64(len(pcm))
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

// finish writes the length into the header of a file and moves the file into place.
func (s *soundWriter) finish(file *renameio.PendingFile) error {
	if s.rate == 0 {
		return errors.New("the server sent no audio")
	}
	if !s.raw {
		if _, err := file.WriteAt(audio.WAVHeader(int(s.rate), s.size), 0); err != nil {
			return fmt.Errorf("cannot write the audio: %w", err)
		}
	}
	if err := file.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("cannot write the audio: %w", err)
	}
	return nil
}

// length returns the duration of the audio so far.
func (s *soundWriter) length() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rate == 0 {
		return 0
	}
	return time.Duration(s.size/2) * time.Second / time.Duration(s.rate)
}

// progress returns the duration of the audio so far, as text.
func (s *soundWriter) progress() string {
	if d := s.length(); d > 0 {
		return roundDuration(d.Round(100*time.Millisecond)) + " of speech"
	}
	return "waiting"
}
