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

// soundWriter writes mono 16-bit samples, behind a WAV header unless they are to
// be raw.
type soundWriter struct {
	w   io.Writer
	raw bool

	mu   sync.Mutex // the progress is told by another goroutine
	rate int32
	size int64
}

// write adds samples. The first ones come with their rate.
func (s *soundWriter) write(pcm []byte, rate int32) error {
	if rate > 0 {
		first := s.begin(rate)
		if first && !s.raw {
			// The length is not known yet, and never is in a pipe.
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

// finish writes the length into a file's header and puts the file in its place.
func (s *soundWriter) finish(file *renameio.PendingFile) error {
	if s.rate == 0 {
		return errors.New("the server sent no sound")
	}
	if !s.raw {
		if _, err := file.WriteAt(audio.WAVHeader(int(s.rate), s.size), 0); err != nil {
			return fmt.Errorf("the sound cannot be written: %w", err)
		}
	}
	if err := file.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("the sound cannot be written: %w", err)
	}
	return nil
}

// length is how long the sound is so far.
func (s *soundWriter) length() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rate == 0 {
		return 0
	}
	return time.Duration(s.size/2) * time.Second / time.Duration(s.rate)
}

// progress tells how much there is.
func (s *soundWriter) progress() string {
	if d := s.length(); d > 0 {
		return spanOf(d.Round(100*time.Millisecond)) + " of speech"
	}
	return "waiting"
}
