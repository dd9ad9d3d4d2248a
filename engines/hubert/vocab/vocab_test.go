package vocab

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const (
	letters  = gatewayv1.PronunciationUnit_PRONUNCIATION_UNIT_LETTER
	phonemes = gatewayv1.PronunciationUnit_PRONUNCIATION_UNIT_PHONEME
	neither  = gatewayv1.PronunciationUnit_PRONUNCIATION_UNIT_UNSPECIFIED
)

func symbols(text string) []string { return strings.Fields(text) }

func alphabet() []string { return strings.Split("ETAONIHSRDLUMWCFGYPBVK'XJQZ", "") }

// write writes a vocab.json with symbols in the given order.
func write(t *testing.T, list []string) string {
	t.Helper()
	ids := map[string]int{}
	for i, s := range list {
		ids[s] = i
	}
	data, err := json.Marshal(ids)
	if err != nil {
		t.Fatal(err)
	}
	return writeText(t, "vocab.json", string(data))
}

func writeText(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, list []string) *Vocabulary {
	t.Helper()
	v, err := Read(write(t, list), "", len(list))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func published() []string { return append(symbols("<pad> <s> </s> <unk> |"), alphabet()...) }

func TestPublishedVocabulary(t *testing.T) {
	v := read(t, published())
	if v.Unit != letters || v.Blank != 0 || v.Boundary != 4 || !slices.Equal(v.Masked, []int{1, 2, 3}) || v.Outputs() != 32 {
		t.Errorf("read as %+v", v)
	}
	for word, want := range map[string][]int{
		"cat": {19, 7, 6}, "don't": {14, 8, 9, 27, 6}, "café": {19, 7, 20, 5}, "đà": {14, 7}, "ằ": {7}, "straße": {12, 6, 13, 7, 12, 12, 5}, "東京": nil, "naïve東": nil,
	} {
		got := v.Spell(word)
		if want == nil && got != nil || want != nil && (len(got) != 1 || !slices.Equal(got[0], want)) {
			t.Errorf("%q is written as %v, want %v", word, got, want)
		}
	}
	if v.Symbol(27) != "'" {
		t.Errorf("symbol 27 is %q", v.Symbol(27))
	}
}

func TestUnits(t *testing.T) {
	// Some of the 392 symbols of wav2vec2-lv-60-espeak-cv-ft.
	espeak := symbols("n s t ə l a i k d m ɛ ɾ e ɪ p o ɐ z ð f j v b ɹ ʁ ʊ iː r w ʌ u ɡ æ aɪ ʃ h ɔ ɑː ŋ ɚ eɪ β uː y ɑ̃ oʊ ᵻ eː θ aʊ ts oː dʒ tʃ")
	cmudict := symbols("AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH")
	for name, c := range map[string]struct {
		list []string
		want gatewayv1.PronunciationUnit
	}{
		"the alphabet":          {alphabet(), letters},
		"in lower case":         {symbols(strings.ToLower(strings.Join(alphabet(), " "))), letters},
		"with French letters":   {append(alphabet(), "é", "ç", "-"), letters},
		"espeak's IPA":          {espeak, phonemes},
		"ARPAbet":               {cmudict, phonemes},
		"ARPAbet in lower case": {symbols(strings.ToLower(strings.Join(cmudict, " "))), phonemes},
		"ARPAbet with stress":   {append(cmudict, "AA0", "AA1", "AE0", "AE1", "SIL"), phonemes},
		"pieces of words":       {append(alphabet(), "▁the", "ing", "tion"), neither},
		"pieces of BERT":        {append(espeak, "##ing"), neither},
		"a few letters":         {symbols("a b c d"), neither},
		"digits":                {symbols("0 1 2 3 4 5 6 7 8 9"), neither},
	} {
		if got := unitOf(c.list); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestLexicon(t *testing.T) {
	list := append(symbols("[PAD] [UNK]"), symbols("aa ae ah ao aw ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh")...)
	v := read(t, list)
	if v.Unit != phonemes || v.Blank != 0 || v.Boundary != None {
		t.Fatalf("read as %+v", v)
	}
	text := ";;; CMUdict\n# more\nREAD  R EH1 D\nREAD(2)  R IY1 D\nODD  Q Q\n\nALONE\nDON'T  D OW1 N T\n"
	if err := v.ReadLexicon(writeText(t, "lexicon.txt", text)); err != nil {
		t.Fatal(err)
	}
	id := func(names string) []int {
		var ids []int
		for _, n := range symbols(names) {
			ids = append(ids, slices.Index(list, n))
		}
		return ids
	}
	if got, want := v.Spell("read"), [][]int{id("r eh d"), id("r iy d")}; !reflect.DeepEqual(got, want) {
		t.Errorf("read is pronounced %v, want %v", got, want)
	}
	if got := v.Spell("don't"); len(got) != 1 {
		t.Errorf("don't is pronounced %v", got)
	}
	for _, unknown := range []string{"odd", "alone", "cat"} {
		if got := v.Spell(unknown); got != nil {
			t.Errorf("%s is pronounced %v", unknown, got)
		}
	}
	if err := v.ReadLexicon(writeText(t, "lexicon.txt", strings.Repeat("x", 1<<17))); errs.ReasonOf(err) != errs.ModelFileInvalid {
		t.Errorf("a line that never ends: %v", err)
	}
	if err := read(t, published()).ReadLexicon("absent"); err != nil {
		t.Errorf("letters need no dictionary: %v", err)
	}
}

// FuzzRead checks that any file gives a vocabulary whose outputs are in range, or an
// error with a reason.
func FuzzRead(f *testing.F) {
	data, err := json.Marshal(map[string]int{"<pad>": 0, "a": 1, "": 2})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data, 3)
	f.Add([]byte(`{"<pad>":0,"|":1}`), 2)
	f.Add([]byte(`{"<pad>":-1,"|":9e99}`), 2)
	f.Add([]byte(`[]`), 0)
	f.Fuzz(func(t *testing.T, data []byte, outputs int) {
		path := filepath.Join(t.TempDir(), "vocab.json")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		v, err := Read(path, "", outputs)
		if err != nil {
			if errs.ReasonOf(err) != errs.ModelFileInvalid {
				t.Errorf("refused with %v", err)
			}
			return
		}
		for _, id := range append([]int{v.Blank}, v.Masked...) {
			if id < 0 || id >= outputs {
				t.Errorf("of %d outputs, %d is special", outputs, id)
			}
		}
		for _, way := range v.Spell("hello") {
			for _, id := range way {
				if id < 0 || id >= outputs {
					t.Errorf("a letter is output %d of %d", id, outputs)
				}
			}
		}
	})
}
