package api

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lexilingo/modelgateway/engines/aloud"
	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// maxSentence is the size limit of the speech of a sentence that is aligned, in bytes:
// three minutes at 22.05 kHz.
const maxSentence = 8 << 20

// sentenceBytes is about how many bytes a sentence needs beside its speech and text.
const sentenceBytes = 256

// maxReference is the limit of PronunciationRequest.reference_text, in characters.
const maxReference = 2000

// sentences divides the speech of a voice into its sentences.
type sentences struct {
	text    string // of the request
	rate    int64
	length  int64 // of the speech so far, in samples
	current *sentence
}

// sentence is a sentence without the times of its words, and its speech.
type sentence struct {
	text  string
	start time.Duration // from the beginning of the speech
	rate  int64
	pcm   []byte
	timed bool  // the voice gives the times
	fault error // why it cannot be aligned
}

// size returns about how many bytes a sentence needs.
func (s *sentence) size() int { return len(s.pcm) + len(s.text) + sentenceBytes }

// add takes the next piece of speech. It returns the sentence that ended before it, if
// that is to be aligned.
func (s *sentences) add(piece *gatewayv1.SynthesizeResponse) *sentence {
	if s.rate == 0 {
		s.rate = int64(piece.GetSampleRateHertz())
	}
	var ended *sentence
	if piece.GetSentence() != "" || s.current == nil {
		ended = s.end()
		s.current = &sentence{text: piece.GetSentence(), start: timeOf(s.length, s.rate), rate: s.rate}
	}
	c := s.current
	c.timed = c.timed || len(piece.GetWords()) > 0
	switch {
	case c.timed:
		c.pcm = nil
	case len(c.pcm)+len(piece.GetAudio()) > maxSentence:
		c.pcm, c.fault = nil, errs.New(errs.InvalidRequest, "a sentence has more than %d MiB of speech", maxSentence>>20)
	case c.fault == nil:
		c.pcm = append(c.pcm, piece.GetAudio()...)
	}
	s.length += int64(len(piece.GetAudio()) / 2)
	return ended
}

// end returns the last sentence, if it is to be aligned.
func (s *sentences) end() *sentence {
	c := s.current
	s.current = nil
	if c == nil || c.timed || c.rate <= 0 {
		return nil
	}
	switch {
	case s.text == "":
		c.fault = errs.New(errs.InvalidRequest, "phonemes have no words")
	case c.text == "": // the voice does not tell its sentences
		c.text = aloud.Text(s.text, "")
	}
	switch n := utf8.RuneCountInString(c.text); {
	case c.fault != nil:
	case n > maxReference:
		c.fault = errs.New(errs.InvalidRequest, "a sentence has %d characters; the limit is %d", n, maxReference)
	case len(c.written()) == 0:
		return nil
	}
	return c
}

// timeOf returns the time of a sample.
func timeOf(sample, rate int64) time.Duration {
	if rate <= 0 {
		return 0
	}
	return time.Duration(sample/rate)*time.Second + time.Duration(sample%rate)*time.Second/time.Duration(rate)
}

// writtenWord is a word of a sentence. Its times count from the beginning of the
// sentence.
type writtenWord struct {
	index      int
	text       string
	key        string // what of it was not found yet
	named      bool   // the model has named it
	timed      bool
	start, end time.Duration
}

// written returns the words of the text, without the punctuation around them. They are
// those that engine piper gives with the times of a voice.
func (s *sentence) written() []*writtenWord {
	var words []*writtenWord
	for _, field := range strings.Fields(s.text) {
		if text := strings.TrimFunc(field, unicode.IsPunct); text != "" {
			words = append(words, &writtenWord{index: len(words), text: text, key: keyOf(text)})
		}
	}
	return words
}

// keyOf returns what words are compared by.
func keyOf(word string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) || unicode.IsSymbol(r) && !unicode.Is(unicode.Sk, r) {
			return unicode.ToLower(r)
		}
		return -1
	}, norm.NFC.String(word))
}

// words returns the words of a sentence with the times of what a model has found. A
// word that it named but did not find is between its neighbours.
func (s *sentence) words(found []*gatewayv1.PronouncedWord) []*gatewayv1.SpokenWord {
	words := s.written()
	if !assign(words, found) {
		return nil
	}
	fillGaps(words, timeOf(int64(len(s.pcm)/2), s.rate))
	var out []*gatewayv1.SpokenWord
	for _, w := range words {
		if w.named && w.end > w.start {
			out = append(out, &gatewayv1.SpokenWord{
				Text: w.text, Start: durationpb.New(s.start + w.start), End: durationpb.New(s.start + w.end), Aligned: true,
			})
		}
	}
	return out
}

// assign gives the times of what was found to the words of a text, in order. A model
// may name parts of a word. It reports whether any word has times.
func assign(words []*writtenWord, found []*gatewayv1.PronouncedWord) bool {
	at, last := 0, (*writtenWord)(nil) // the last word with times
	var extra *period                  // what was said after it and is not in the text
	for _, f := range found {
		said := period{f.GetStart().AsDuration(), f.GetEnd().AsDuration()}
		if last != nil {
			said.start = max(said.start, last.end)
		}
		if f.GetErrorType() == gatewayv1.PronunciationErrorType_PRONUNCIATION_ERROR_TYPE_INSERTION {
			extra = extra.with(said)
			continue
		}
		w := take(words[at:], keyOf(f.GetText()))
		if w == nil {
			continue
		}
		at, w.named = w.index, true
		if said.end <= said.start {
			continue
		}
		switch {
		case extra != nil && w.coded():
			said.start = extra.start
		case extra != nil && last != nil && last.coded():
			last.end = min(extra.end, said.start)
		}
		extra = nil
		if !w.timed {
			w.start = said.start
		}
		w.end, w.timed, last = said.end, true, w
	}
	if extra != nil && last != nil && last.coded() {
		last.end = extra.end
	}
	return last != nil
}

// take returns the first word that begins with a key, and removes that from it; nil if
// there is none.
func take(words []*writtenWord, key string) *writtenWord {
	for _, w := range words {
		if rest, ok := strings.CutPrefix(w.key, key); ok && key != "" {
			w.key = rest
			return w
		}
	}
	return nil
}

// coded reports whether a word is written with digits or signs. A voice may say it in
// a way that the model does not know, "dollar five point five zero": what the model
// takes for extra words next to it belongs to it.
func (w *writtenWord) coded() bool {
	return strings.ContainsFunc(w.text, func(r rune) bool { return unicode.IsNumber(r) || unicode.IsSymbol(r) })
}

// period is a part of the speech.
type period struct{ start, end time.Duration }

// with returns the period from s, which may be nil, to the end of another.
func (s *period) with(next period) *period {
	if s != nil {
		next.start = s.start
	}
	if next.end <= next.start {
		return s
	}
	return &next
}

// fillGaps gives words without times the time between their neighbours, in proportion
// to their lengths. length is that of the speech.
func fillGaps(words []*writtenWord, length time.Duration) {
	from := time.Duration(0)
	for i := 0; i < len(words); i++ {
		if words[i].timed || !words[i].named {
			from = max(from, words[i].end)
			continue
		}
		end, letters := i, 0
		for ; end < len(words) && !words[end].timed; end++ {
			if words[end].named {
				letters += len(words[end].text)
			}
		}
		to := length
		if end < len(words) {
			to = words[end].start
		}
		each := max(0, to-from) / time.Duration(letters)
		for ; i < end; i++ {
			if w := words[i]; w.named {
				w.start, w.end = from, from+each*time.Duration(len(w.text))
				from = w.end
			}
		}
		i--
	}
}
