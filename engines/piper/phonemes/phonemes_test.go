package phonemes

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"github.com/lexilingo/modelgateway/engines/piper/voicefile"
)

// spelling is a Phonemiser that splits texts at punctuation and spells words
// backwards. The package does not depend on what the phonemes are.
type spelling struct{}

func (spelling) Translate(_ context.Context, _, text string) ([]Translation, error) {
	terminators := map[byte]int{'.': clausePeriod, '?': clauseQuestion, '!': clauseExclaim, ',': clauseComma, ':': clauseColon, ';': clauseSemicolon}
	var out []Translation
	for from := 0; from < len(text) || len(out) == 0; {
		to, terminator := len(text), 40|endsSentence|0x10000
		spoken := text[from:]
		if i := strings.IndexAny(spoken, ".?!,:;"); i >= 0 {
			terminator, to, spoken = terminators[spoken[i]], from+i+1, spoken[:i]
			to = len(text) - len(strings.TrimLeft(text[to:], " "))
		}
		var words []string
		for _, word := range strings.Fields(spoken) {
			letters := []rune(word)
			slices.Reverse(letters)
			words = append(words, string(letters))
		}
		out = append(out, Translation{From: from, To: to, Phonemes: strings.Join(words, " "), Terminator: terminator})
		from = to
	}
	return out, nil
}

func voice() *voicefile.Config {
	c := &voicefile.Config{PhonemeType: voicefile.Espeak, IDs: map[string][]int64{"^": {1}, "_": {0}, "$": {2}}}
	for i, r := range []rune("abcdefghij .,?!:;\u0303") {
		c.IDs[string(r)] = []int64{int64(10 + i)}
	}
	return c
}

func TestFromText(t *testing.T) {
	for text, want := range map[string][]string{
		"ab cd.":             {"ba dc."},
		"ab, cd; ef: gh":     {"ba, dc; fe: hg"},
		"ab. cd? ef! gh":     {"ba.", "dc?", "fe!", "hg"},
		"":                   {},
		" ":                  {},
		"ab )ne(c":           {"ba c"}, // espeak-ng's mark of another language
		"[[ xy ]]":           {"xy"},
		"ab [[ xy ]] cd":     {"ba xy dc"},
		"ab.[[xy]]cd. ef":    {"ba.xydc.", "fe"},
		"[[a]][[b]]":         {"ab"},
		"[[ ]]":              {},
		"ã":                  {"a\u0303"},
		"ab. [[ xy ]] cd. e": {"ba. xy dc.", "e"},
	} {
		sentences, err := FromText(t.Context(), spelling{}, voice(), text)
		if err != nil {
			t.Fatal(err)
		}
		got := []string{}
		for _, s := range sentences {
			got = append(got, strings.Join(s.Symbols, ""))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestDecomposedText checks that a text in NFD is the same as in NFC: in its phonemes,
// and in the words and sentences that are returned.
func TestDecomposedText(t *testing.T) {
	for _, text := range []string{"Nguyễn, café. Đường đi!", "Tiếng Việt [[ab]] ở đây", "ố ặ ü"} {
		var got [2][]Sentence
		for i, form := range []norm.Form{norm.NFC, norm.NFD} {
			sentences, err := FromText(t.Context(), spelling{}, voice(), form.String(text))
			if err != nil {
				t.Fatal(err)
			}
			got[i] = sentences
		}
		if !reflect.DeepEqual(got[0], got[1]) {
			t.Errorf("%q in NFC: %v, in NFD: %v", text, got[0], got[1])
		}
	}
}

func TestVowelClusters(t *testing.T) {
	v := voice()
	v.VowelClusters = [][]string{{"a", "b", "c"}, {"a", "b"}}
	sentences, err := FromText(t.Context(), spelling{}, v, "cbaba cab.")
	if err != nil || len(sentences) != 1 {
		t.Fatal(sentences, err)
	}
	if got, want := strings.Join(sentences[0].Symbols, "|"), "ab|abc| |b|a|c|."; got != want {
		t.Errorf("the symbols are %s, want %s", got, want)
	}
}

func TestToIDs(t *testing.T) {
	got := ToIDs(voice(), []string{"a", "?", "X", "X", "ã", " "})
	if want := []int64{1, 0, 10, 0, 23, 0, 10, 0, 27, 0, 20, 0, 2}; !slices.Equal(got.Values, want) {
		t.Errorf("the ids are %v, want %v", got.Values, want)
	}
	if want := []int{-1, -1, 0, 0, 1, 1, 4, 4, 4, 4, 5, 5, -1}; !slices.Equal(got.Of, want) {
		t.Errorf("they are of %v, want %v", got.Of, want)
	}
	if !slices.Equal(got.Unknown, []string{"X"}) || got.Spoken != 4 {
		t.Errorf("%q are unknown, %d are spoken", got.Unknown, got.Spoken)
	}
}

func TestFromPhonemes(t *testing.T) {
	var got []string
	for _, s := range FromPhonemes("ab. cd?\nef gh.ij! \n\n a ") {
		got = append(got, strings.Join(s.Symbols, ""))
	}
	if want := []string{"ab.", "cd?", "ef gh.ij!", "a"}; !slices.Equal(got, want) {
		t.Errorf("the sentences are %q, want %q", got, want)
	}
}

// TestWords checks words that are one word of the phonemes too, and others.
func TestWords(t *testing.T) {
	v := voice()
	sentences, err := FromText(t.Context(), spelling{}, v, "“abc” de, - fg!")
	if err != nil {
		t.Fatal(err)
	}
	// Two words of the text are one word of the phonemes, as espeak-ng does.
	merged := Sentence{}
	merged.add("ab cd ef", symbolsOf("badc fe"), false)
	for _, c := range []struct {
		sentence Sentence
		want     []string
	}{
		{sentences[0], []string{"abc ”cba“", "de ed", "fg gf"}},
		{merged, []string{"ab ba", "cd dc", "ef fe"}},
	} {
		words, err := Words(t.Context(), spelling{}, v, c.sentence)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, w := range words {
			got = append(got, w.Text+" "+strings.Join(c.sentence.Symbols[w.From:w.To], ""))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("the words are %q, want %q", got, c.want)
		}
	}
}

// FuzzLimit checks that parts are not longer than the limit, and that the parts
// together have all symbols and the whole text.
func FuzzLimit(f *testing.F) {
	f.Add("ab, cd ef. gh", 3)
	f.Add(strings.Repeat("abc ", 50), 20)
	f.Add("[[ abcdefghij ]] abc", 4)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		if limit < 1 || limit > 1000 || len(text) > 5000 {
			return
		}
		sentences, err := FromText(t.Context(), spelling{}, voice(), strings.ToValidUTF8(text, " "))
		if err != nil {
			t.Fatal(err)
		}
		flat := func(sentences []Sentence) (symbols, texts string) {
			for _, s := range sentences {
				symbols += strings.Join(s.Symbols, "|") + "|"
				texts += s.Text
				for i, c := range s.Clauses {
					if i > 0 && c.From != s.Clauses[i-1].To {
						t.Errorf("%q: clauses are not adjacent: %v", text, s.Clauses)
					}
				}
			}
			return symbols, texts
		}
		parts := slices.Collect(Limit(sentences, limit))
		for _, s := range parts {
			if len(s.Symbols) > limit || len(s.Symbols) == 0 {
				t.Errorf("%q: a part has %d symbols, the limit is %d", text, len(s.Symbols), limit)
			}
		}
		symbols, texts := flat(sentences)
		if gotSymbols, gotTexts := flat(parts); gotSymbols != symbols || gotTexts != texts {
			t.Errorf("%q: the parts are %q, %q; want %q, %q", text, gotSymbols, gotTexts, symbols, texts)
		}
	})
}
