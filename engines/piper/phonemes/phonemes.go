// Package phonemes converts text to the input of a Piper voice: sentences of
// phonemes, and their ids. It must do what piper1-gpl does (src/piper: voice.py,
// phonemize_espeak.py, phoneme_ids.py), because voices are trained with that.
package phonemes

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/lexilingo/modelgateway/engines/piper/voicefile"
)

// Phonemiser translates a text into phonemes, clause by clause like espeak-ng. Each
// clause begins where the one before it ends.
type Phonemiser interface {
	Translate(ctx context.Context, voice, text string) ([]Translation, error)
}

// Translation is a translated clause.
type Translation struct {
	// From and To are byte offsets in the text.
	From, To int
	// Phonemes are in the International Phonetic Alphabet. Spaces separate words.
	Phonemes string
	// Terminator says how the clause ends, in espeak-ng's CLAUSE_ bits.
	Terminator int
}

// Sentence is the input of one run of a voice.
type Sentence struct {
	// Text is the part of the request's text that the sentence comes from.
	Text string
	// Symbols are the phonemes, most of them one code point each.
	Symbols []string
	// Clauses are the parts of the sentence, in order. They cover Symbols.
	Clauses []Clause
	// Continues reports whether Limit has split the sentence here: the next one
	// is its continuation.
	Continues bool
}

// Clause is a part of a sentence.
type Clause struct {
	// Text is the part of the request's text that the clause comes from.
	Text string
	// From and To are the range of the clause in the sentence's symbols.
	From, To int
	// Raw reports whether the text is phonemes that the user wrote.
	Raw bool
}

// add appends a clause to the sentence.
func (s *Sentence) add(text string, symbols []string, raw bool) {
	from := len(s.Symbols)
	s.Text += text
	s.Symbols = append(s.Symbols, symbols...)
	s.Clauses = append(s.Clauses, Clause{Text: text, From: from, To: len(s.Symbols), Raw: raw})
}

// join appends another sentence.
func (s *Sentence) join(next Sentence) {
	for _, c := range next.Clauses {
		s.add(c.Text, next.Symbols[c.From:c.To], c.Raw)
	}
}

// rawPhonemes matches [[ phonemes ]] in a text.
var rawPhonemes = regexp.MustCompile(`\[\[.*?\]\]`)

// FromText returns the sentences of a text for a voice, without those that have no
// symbols.
func FromText(ctx context.Context, p Phonemiser, voice *voicefile.Config, text string) ([]Sentence, error) {
	if voice.PhonemeType == voicefile.Text {
		var s Sentence
		s.add(text, symbolsOf(norm.NFD.String(text)), false)
		return withSymbols([]Sentence{s}), nil
	}
	var sentences []Sentence
	afterRaw := false
	for _, part := range split(text) {
		if part.raw {
			// As in piper1-gpl, raw phonemes belong to the sentence before them,
			// even if it has ended, and so does the text after them.
			if len(sentences) == 0 {
				sentences = append(sentences, Sentence{})
			}
			sentences[len(sentences)-1].add(part.text, rawSymbols(part), true)
			afterRaw = true
			continue
		}
		more, err := phonemise(ctx, p, voice, part.text)
		if err != nil {
			return nil, err
		}
		if afterRaw && len(more) > 0 {
			sentences[len(sentences)-1].join(more[0])
			more = more[1:]
		}
		sentences = append(sentences, more...)
		afterRaw = false
	}
	return withSymbols(sentences), nil
}

func withSymbols(sentences []Sentence) []Sentence {
	return slices.DeleteFunc(sentences, func(s Sentence) bool { return len(s.Symbols) == 0 })
}

// part is a part of a text: [[ phonemes ]], or text between those.
type part struct {
	text          string
	raw           bool
	before, after bool // of raw phonemes: whether a space is before and after them
}

func split(text string) []part {
	var parts []part
	at := 0
	for _, span := range rawPhonemes.FindAllStringIndex(text, -1) {
		parts = append(parts, part{text: text[at:span[0]]}, part{
			text: text[span[0]:span[1]], raw: true,
			before: strings.HasSuffix(text[at:span[0]], " "), after: strings.HasPrefix(text[span[1]:], " "),
		})
		at = span[1]
	}
	return append(parts, part{text: text[at:]})
}

func rawSymbols(p part) []string {
	var symbols []string
	if p.before {
		symbols = append(symbols, " ")
	}
	inner := strings.TrimSuffix(strings.TrimPrefix(p.text, "[["), "]]")
	symbols = append(symbols, symbolsOf(strings.TrimSpace(inner))...)
	if p.after {
		symbols = append(symbols, " ")
	}
	return symbols
}

// Bits of espeak-ng's terminators (translate.h of espeak-ng).
const (
	terminatorBits  = 0xFFFFF
	clausePeriod    = 40 | endsSentence
	clauseComma     = 20 | 0x01000 | endsClause
	clauseQuestion  = 40 | 0x02000 | endsSentence
	clauseExclaim   = 45 | 0x03000 | endsSentence
	clauseColon     = 30 | endsClause
	clauseSemicolon = 30 | 0x01000 | endsClause
	endsSentence    = 0x80000
	endsClause      = 0x40000
)

// punctuation maps terminators to phonemes. A mark inside a sentence is followed by
// a space. Other terminators, such as the end of the text or of a paragraph, have no
// phoneme.
var punctuation = map[int]string{
	clausePeriod: ".", clauseQuestion: "?", clauseExclaim: "!", clauseComma: ", ", clauseColon: ": ", clauseSemicolon: "; ",
}

// languageSwitch matches espeak-ng's mark of words in another language: "(en)".
var languageSwitch = regexp.MustCompile(`\([^)]+\)`)

// phonemise returns the sentences of a text without [[ phonemes ]]. Some may have no
// symbols.
func phonemise(ctx context.Context, p Phonemiser, voice *voicefile.Config, text string) ([]Sentence, error) {
	// espeak-ng reads a letter and its mark as two letters. Only the composed form is
	// one: "é", "ệ".
	text = norm.NFC.String(text)
	clauses, err := p.Translate(ctx, voice.EspeakVoice, text)
	if err != nil {
		return nil, err
	}
	var sentences []Sentence
	var s Sentence
	for _, c := range clauses {
		terminator := c.Terminator & terminatorBits
		spoken := languageSwitch.ReplaceAllString(c.Phonemes, "") + punctuation[terminator]
		s.add(text[c.From:c.To], symbolsOf(norm.NFD.String(spoken)), false)
		if terminator&endsSentence != 0 {
			sentences = append(sentences, s)
			s = Sentence{}
		}
	}
	if len(s.Symbols) > 0 {
		sentences = append(sentences, s)
	}
	if len(voice.VowelClusters) > 0 {
		for i := range sentences {
			sentences[i] = merge(sentences[i], voice.VowelClusters)
		}
	}
	return sentences, nil
}

// symbolsOf splits a text into its code points.
func symbolsOf(text string) []string {
	symbols := make([]string, 0, len(text))
	for _, r := range text {
		symbols = append(symbols, string(r))
	}
	return symbols
}

// merge replaces each cluster of symbols by one symbol, the longest first.
func merge(s Sentence, clusters [][]string) Sentence {
	var merged Sentence
	for _, c := range s.Clauses {
		var symbols []string
		for rest := s.Symbols[c.From:c.To]; len(rest) > 0; {
			n := 1
			for _, cluster := range clusters {
				if len(cluster) <= len(rest) && slices.Equal(cluster, rest[:len(cluster)]) {
					n = len(cluster)
					break
				}
			}
			symbols = append(symbols, strings.Join(rest[:n], ""))
			rest = rest[n:]
		}
		merged.add(c.Text, symbols, c.Raw)
	}
	return merged
}
