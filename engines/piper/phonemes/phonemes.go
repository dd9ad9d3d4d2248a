// Package phonemes turns text into what a Piper voice is fed with: sentences of
// phonemes, and their ids. It follows piper1-gpl (src/piper: voice.py,
// phonemize_espeak.py, phoneme_ids.py), so that a voice hears what it was trained
// on; how it was read is documented where it matters.
package phonemes

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/lexilingo/modelgateway/engines/piper/voicefile"
)

// Phonemiser translates a text into phonemes, as espeak-ng does: clause by
// clause, each beginning where the one before it ended.
type Phonemiser interface {
	Translate(ctx context.Context, voice, text string) ([]Translation, error)
}

// Translation is a translated clause.
type Translation struct {
	// From and To are where it lies in the text, in bytes.
	From, To int
	// Phonemes are in the International Phonetic Alphabet, words apart by spaces.
	Phonemes string
	// Terminator tells what ended the clause, in espeak-ng's CLAUSE_ bits.
	Terminator int
}

// Sentence is what a voice speaks in one breath.
type Sentence struct {
	// Text is the part of the request's text that it comes from.
	Text string
	// Symbols are the phonemes, most of them one code point each.
	Symbols []string
	// Clauses are its parts, in order. They cover Symbols.
	Clauses []Clause
	// Continues tells that the text's own sentence was longer and goes on in
	// the next one.
	Continues bool
}

// Clause is a part of a sentence.
type Clause struct {
	// Text is the part of the request's text that it comes from.
	Text string
	// From and To are its part of the sentence's symbols.
	From, To int
	// Raw tells that the text is phonemes, as the user wrote them.
	Raw bool
}

// add puts a clause at the sentence's end.
func (s *Sentence) add(text string, symbols []string, raw bool) {
	from := len(s.Symbols)
	s.Text += text
	s.Symbols = append(s.Symbols, symbols...)
	s.Clauses = append(s.Clauses, Clause{Text: text, From: from, To: len(s.Symbols), Raw: raw})
}

// join puts another sentence at the sentence's end.
func (s *Sentence) join(next Sentence) {
	for _, c := range next.Clauses {
		s.add(c.Text, next.Symbols[c.From:c.To], c.Raw)
	}
}

// raw finds [[ phonemes ]] in a text.
var raw = regexp.MustCompile(`\[\[.*?\]\]`)

// FromText makes the sentences of a text for a voice. Sentences without any
// symbol are left out.
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
			// What follows belongs to the same sentence, and so does what went
			// before, even a sentence that had ended: so does piper1-gpl.
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

// part is a piece of a text: [[ phonemes ]], or what lies between those.
type part struct {
	text          string
	raw           bool
	before, after bool // raw only: a space is before it, or after it
}

func split(text string) []part {
	var parts []part
	at := 0
	for _, span := range raw.FindAllStringIndex(text, -1) {
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

// Bits of espeak-ng's terminators (espeak-ng, translate.h).
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

// punctuation is kept as a phoneme; what does not end a sentence has a space
// behind it. Other terminators (the text's end, a paragraph's) leave no mark.
var punctuation = map[int]string{
	clausePeriod: ".", clauseQuestion: "?", clauseExclaim: "!", clauseComma: ", ", clauseColon: ": ", clauseSemicolon: "; ",
}

// languageSwitch is espeak-ng's mark around words of another language: "(en)".
var languageSwitch = regexp.MustCompile(`\([^)]+\)`)

// phonemise makes the sentences of a text without [[ phonemes ]]; some may have
// no symbols.
func phonemise(ctx context.Context, p Phonemiser, voice *voicefile.Config, text string) ([]Sentence, error) {
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

// symbolsOf takes a text apart into its code points.
func symbolsOf(text string) []string {
	symbols := make([]string, 0, len(text))
	for _, r := range text {
		symbols = append(symbols, string(r))
	}
	return symbols
}

// merge makes one symbol of each cluster, the longest first.
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
