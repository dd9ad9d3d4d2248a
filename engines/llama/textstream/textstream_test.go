package textstream_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lexilingo/modelgateway/engines/llama/textstream"
)

// run pushes pieces and returns the resulting texts.
func run(s *textstream.Stream, pieces ...string) (texts []string, ended bool) {
	for _, p := range pieces {
		text, end := s.Push([]byte(p))
		texts = append(texts, text)
		if end {
			return texts, true
		}
	}
	return append(texts, s.Flush()), false
}

func TestStream(t *testing.T) {
	for name, c := range map[string]struct {
		stops  []string
		inside bool
		pieces []string
		want   []string
		ended  bool
	}{
		"plain":                   {pieces: []string{"Hel", "lo"}, want: []string{"Hel", "lo", ""}},
		"character over tokens":   {pieces: []string{"a\xe1", "\xbb", "\x87b"}, want: []string{"a", "", "ệb", ""}},
		"character never ends":    {pieces: []string{"a\xe1\xbb"}, want: []string{"a", "\uFFFD"}},
		"invalid bytes":           {pieces: []string{"a\xff", "b"}, want: []string{"a\uFFFD", "b", ""}},
		"too long a form":         {pieces: []string{"a\xf0\x82", "\x81", "\x8bb"}, want: []string{"a", "", "\uFFFDb", ""}},
		"surrogate":               {pieces: []string{"a\xed\xa0\x80\x80b"}, want: []string{"a\uFFFD\uFFFDb", ""}},
		"two cut characters":      {pieces: []string{"\xe1\xbb\xe1\xbb", "b"}, want: []string{"\uFFFD", "\uFFFDb", ""}},
		"stop in one token":       {stops: []string{"END"}, pieces: []string{"abENDcd"}, want: []string{"ab"}, ended: true},
		"stop over tokens":        {stops: []string{"END"}, pieces: []string{"abE", "N", "Dcd"}, want: []string{"ab", "", ""}, ended: true},
		"held back, then shown":   {stops: []string{"END"}, pieces: []string{"abEN", "x"}, want: []string{"ab", "ENx", ""}},
		"held back to the end":    {stops: []string{"END"}, pieces: []string{"abEN"}, want: []string{"ab", "EN"}},
		"the first of two stops":  {stops: []string{"cd", "b"}, pieces: []string{"abcd"}, want: []string{"a"}, ended: true},
		"repeating prefix":        {stops: []string{"aab"}, pieces: []string{"a", "a", "a", "b"}, want: []string{"", "", "a", ""}, ended: true},
		"stop of two bytes":       {stops: []string{"ệ"}, pieces: []string{"x\xe1", "\xbb\x87y"}, want: []string{"x", ""}, ended: true},
		"thought":                 {pieces: []string{"<thi", "nk>hm", "m</th", "ink>", "\n\n", "Yes"}, want: []string{"", "", "", "", "", "Yes", ""}},
		"beginning of a thought":  {stops: []string{"hin"}, pieces: []string{"<thin"}, want: []string{"", "<t"}},
		"no thought":              {pieces: []string{"<", "b>"}, want: []string{"", "<b>", ""}},
		"thought opened before":   {inside: true, pieces: []string{"hm", "</think>ok"}, want: []string{"", "ok", ""}},
		"thought without end":     {pieces: []string{"<think>hm", "hm"}, want: []string{"", "", ""}},
		"thought later is text":   {pieces: []string{"a", "<think>"}, want: []string{"a", "<think>", ""}},
		"stop within the thought": {stops: []string{"hm"}, pieces: []string{"<think>hm</think>a", "hm"}, want: []string{"a", ""}, ended: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, ended := run(textstream.New(c.stops, c.inside), c.pieces...)
			if !slices.Equal(got, c.want) || ended != c.ended {
				t.Errorf("got %q, ended %v; want %q, %v", got, ended, c.want, c.ended)
			}
		})
	}
}

// FuzzStream divides bytes into tokens in every way. The text must not depend on
// the division, each piece of it must be valid, and it must not contain a stop
// string.
func FuzzStream(f *testing.F) {
	f.Add([]byte("xin chào bạn ơi"), []byte{1, 1, 2, 3}, "ơ")
	f.Add([]byte("a\xf0\x9f\x91\xa9\xff\xc3"), []byte{2, 1}, "")
	f.Add([]byte("\xff\xff"), []byte{1}, "")
	f.Add([]byte("<think>x</think>\n\nabcabd"), []byte{3}, "abd")
	f.Fuzz(func(t *testing.T, data, cuts []byte, stop string) {
		var stops []string
		if stop != "" && utf8.ValidString(stop) {
			stops = []string{stop}
		}
		whole, _ := run(textstream.New(stops, false), string(data))
		var pieces []string
		rest := string(data)
		for _, c := range cuts {
			n := min(int(c%5), len(rest))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		parts, _ := run(textstream.New(stops, false), append(pieces, rest)...)
		for _, p := range parts {
			if !utf8.ValidString(p) {
				t.Fatalf("%q is not valid", p)
			}
		}
		got := strings.Join(parts, "")
		if want := strings.Join(whole, ""); got != want {
			t.Fatalf("in parts %q, whole %q", got, want)
		}
		for _, s := range stops {
			if strings.Contains(got, s) {
				t.Fatalf("%q shows the stop string %q", got, s)
			}
		}
	})
}
