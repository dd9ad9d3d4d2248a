// Package textstream turns the bytes of tokens into text that may be shown as it
// comes: characters whole, a model's thoughts left out, and nothing from a stop
// string on.
package textstream

import (
	"strings"
	"unicode/utf8"
)

// The marks around a model's thoughts.
const (
	thoughtStart = "<think>"
	thoughtEnd   = "</think>"
)

// Stream is one answer. The zero value is not ready; use New.
type Stream struct {
	stops    []string
	bytes    []byte // the beginning of a character whose end has not come
	held     string // text that may yet turn out to be a mark or a stop string
	state    state
	finished bool
}

type state int

const (
	beginning state = iota // a thought may begin
	thinking
	afterThought // line ends between thought and answer are left out
	answering
)

// New returns a stream that ends before the first of the stop strings, which
// must not be empty. insideThought says that the prompt has opened a thought.
func New(stops []string, insideThought bool) *Stream {
	s := &Stream{stops: stops}
	if insideThought {
		s.state = thinking
	}
	return s
}

// Push adds a token's bytes and returns the text that is now certain. ended is
// true when a stop string was found; nothing comes after that.
func (s *Stream) Push(piece []byte) (text string, ended bool) {
	if s.finished {
		return "", true
	}
	s.bytes = append(s.bytes, piece...)
	n := len(s.bytes) - incomplete(s.bytes)
	// Bytes that are no character become one replacement character each, so
	// that the text does not depend on how tokens cut it.
	s.held += string([]rune(string(s.bytes[:n])))
	s.bytes = append(s.bytes[:0], s.bytes[n:]...)
	s.skipThought()
	if s.state != answering {
		return "", false
	}
	if at := s.findStop(); at >= 0 {
		text, s.held, s.finished = s.held[:at], "", true
		return text, true
	}
	keep := s.stopPrefix()
	text, s.held = s.held[:len(s.held)-keep], s.held[len(s.held)-keep:]
	return text, false
}

// Flush returns what was held back, when no token comes any more.
func (s *Stream) Flush() string {
	if s.finished {
		return ""
	}
	s.finished = true
	if s.state == thinking {
		return ""
	}
	if len(s.bytes) > 0 {
		s.held += string(utf8.RuneError)
	}
	if at := s.findStop(); at >= 0 {
		return s.held[:at]
	}
	return s.held
}

// skipThought moves past a thought at the beginning of the answer.
func (s *Stream) skipThought() {
	if s.state == beginning {
		switch {
		case strings.HasPrefix(s.held, thoughtStart):
			s.state, s.held = thinking, s.held[len(thoughtStart):]
		case !strings.HasPrefix(thoughtStart, s.held):
			s.state = answering
		}
	}
	if s.state == thinking {
		_, after, found := strings.Cut(s.held, thoughtEnd)
		if found {
			s.state, s.held = afterThought, after
		} else {
			s.held = s.held[len(s.held)-prefixAtEnd(s.held, thoughtEnd):]
		}
	}
	if s.state == afterThought {
		s.held = strings.TrimLeft(s.held, "\r\n")
		if s.held != "" {
			s.state = answering
		}
	}
}

// findStop returns where the first stop string begins, or -1.
func (s *Stream) findStop() int {
	first := -1
	for _, stop := range s.stops {
		if at := strings.Index(s.held, stop); at >= 0 && (first < 0 || at < first) {
			first = at
		}
	}
	return first
}

// stopPrefix returns how many bytes at the end may begin a stop string.
func (s *Stream) stopPrefix() int {
	longest := 0
	for _, stop := range s.stops {
		longest = max(longest, prefixAtEnd(s.held, stop))
	}
	return longest
}

// prefixAtEnd returns the length of the longest proper prefix of mark that text
// ends with.
func prefixAtEnd(text, mark string) int {
	for n := min(len(text), len(mark)-1); n > 0; n-- {
		if strings.HasSuffix(text, mark[:n]) {
			return n
		}
	}
	return 0
}

// incomplete returns how many bytes at the end begin a character without ending
// it.
func incomplete(b []byte) int {
	for n := 1; n <= min(len(b), utf8.UTFMax-1); n++ {
		tail := b[len(b)-n:]
		if utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}
