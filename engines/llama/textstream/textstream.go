// Package textstream converts the bytes of tokens to text that can be shown at
// once: it keeps characters whole, separates a model's thoughts, and ends before a
// stop string.
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

// Stream is the text of one answer. Use New to create it.
type Stream struct {
	stops    []string
	bytes    []byte // the start of an incomplete character
	held     string // text that may still become a mark or a stop string
	state    state
	thought  string // since the last call of Thought
	newlines string // at the end of the thought so far
	// thoughtBegun says that the thought has text.
	thoughtBegun bool
	finished     bool
}

type state int

const (
	beginning state = iota // a thought may start here
	thinking
	afterThought // line ends between the thought and the answer are left out
	answering
)

// New returns a stream that ends before the first stop string. Stop strings must
// not be empty. insideThought says that the prompt ends inside a thought.
func New(stops []string, insideThought bool) *Stream {
	s := &Stream{stops: stops}
	if insideThought {
		s.state = thinking
	}
	return s
}

// Push adds a token's bytes and returns the text that cannot change any more. ended
// reports whether a stop string was found, which ends the text.
func (s *Stream) Push(piece []byte) (text string, ended bool) {
	if s.finished {
		return "", true
	}
	s.bytes = append(s.bytes, piece...)
	n := len(s.bytes) - incomplete(s.bytes)
	s.held += valid(s.bytes[:n])
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

// Flush returns the text that was held back. Call it after the last token.
func (s *Stream) Flush() string {
	if s.finished {
		return ""
	}
	s.finished = true
	if s.state == thinking {
		s.think(s.held)
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

// skipThought removes a thought at the start of the answer.
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
		before, after, found := strings.Cut(s.held, thoughtEnd)
		if found {
			s.think(before)
			s.state, s.held = afterThought, after
		} else {
			keep := len(s.held) - prefixAtEnd(s.held, thoughtEnd)
			s.think(s.held[:keep])
			s.held = s.held[keep:]
		}
	}
	if s.state == afterThought {
		s.held = strings.TrimLeft(s.held, "\r\n")
		if s.held != "" {
			s.state = answering
		}
	}
}

// think adds text to the thought, without line ends around it.
func (s *Stream) think(text string) {
	text = s.newlines + text
	words := strings.TrimRight(text, "\r\n")
	s.newlines = text[len(words):]
	if !s.thoughtBegun {
		words = strings.TrimLeft(words, "\r\n")
		s.thoughtBegun = words != ""
		if words == "" {
			s.newlines = ""
		}
	}
	s.thought += words
}

// Thought returns the text of the thought since the last call.
func (s *Stream) Thought() string {
	text := s.thought
	s.thought = ""
	return text
}

// Part says what the last token belongs to.
type Part int

// Parts of an answer.
const (
	// Undecided: a thought may begin here.
	Undecided Part = iota
	Thought
	Answer
)

// Part returns what the last token that was pushed belongs to.
func (s *Stream) Part() Part {
	switch s.state {
	case beginning:
		return Undecided
	case answering:
		return Answer
	default:
		return Thought
	}
}

// findStop returns the index of the first stop string, or -1.
func (s *Stream) findStop() int {
	first := -1
	for _, stop := range s.stops {
		if at := strings.Index(s.held, stop); at >= 0 && (first < 0 || at < first) {
			first = at
		}
	}
	return first
}

// stopPrefix returns the number of bytes at the end that may start a stop string.
func (s *Stream) stopPrefix() int {
	longest := 0
	for _, stop := range s.stops {
		longest = max(longest, prefixAtEnd(s.held, stop))
	}
	return longest
}

// prefixAtEnd returns the length of the longest proper prefix of mark at the end of
// text.
func prefixAtEnd(text, mark string) int {
	for n := min(len(text), len(mark)-1); n > 0; n-- {
		if strings.HasSuffix(text, mark[:n]) {
			return n
		}
	}
	return 0
}

// valid returns text in which each sequence that is no character, of a first byte and
// the continuation bytes that belong to it, is one replacement character. llama.cpp's
// grammars count such a sequence as one character too, so that an answer is no longer
// than its grammar allows. The text does not depend on how it is divided into tokens.
func valid(b []byte) string {
	var text strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError {
			n = sequence(b)
		}
		text.WriteRune(r)
		b = b[n:]
	}
	return text.String()
}

// incomplete returns the number of bytes at the end that are the start of an
// incomplete sequence.
func incomplete(b []byte) int {
	for n := 1; n <= min(len(b), utf8.UTFMax-1); n++ {
		tail := b[len(b)-n:]
		if utf8.RuneStart(tail[0]) {
			if n < length(tail[0]) {
				return n
			}
			return 0
		}
	}
	return 0
}

// sequence returns the number of bytes of the first byte of b and of its continuation
// bytes.
func sequence(b []byte) int {
	n := 1
	for n < min(length(b[0]), len(b)) && !utf8.RuneStart(b[n]) {
		n++
	}
	return n
}

// length returns the number of bytes of the characters that begin with a byte, or 1 if
// none does.
func length(first byte) int {
	switch {
	case first < 0xC2 || first > 0xF4:
		return 1
	case first < 0xE0:
		return 2
	case first < 0xF0:
		return 3
	default:
		return 4
	}
}
