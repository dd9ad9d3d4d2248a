package scoring

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/engines/hubert/ctc"
)

// alphabet has the symbols in the published order. "-" is the blank.
const alphabet = "-<>?|ETAONIHSRDLUMWCFGYPBVK'XJQZ"

func model() Model {
	return Model{Blank: 0, Boundary: 4, Masked: []int{1, 2, 3}, FrameSeconds: 0.02}
}

func options() Options { return Options{Scale: 2} }

func id(letter rune) int { return strings.IndexRune(alphabet, letter) }

// words returns the reference words of a text. After a comma or full stop the reader
// may pause, "~" marks a word that is not judged, and "/" separates the readings of
// a word.
func words(text string) []Word {
	var out []Word
	for _, field := range strings.Fields(text) {
		w := Word{Text: strings.TrimRight(field, ",."), Pause: strings.ContainsAny(field, ",.")}
		for _, spelled := range strings.Split(w.Text, "/") {
			var ids []int
			for _, letter := range spelled {
				if i := id(letter); i > 3 {
					ids = append(ids, i)
				}
			}
			if ids != nil {
				w.Readings = append(w.Readings, ids)
			}
		}
		out = append(out, w)
	}
	return out
}

// speak returns the logits of a text: a letter has 3 frames, a space is the
// boundary, and "_" is 5 frames of silence. A lower-case letter is unclear: the
// next letter of the alphabet is nearly as likely.
func speak(text string) []float32 {
	var logits []float32
	frame := func(loud map[int]float32) {
		row := make([]float32, len(alphabet))
		for k, v := range loud {
			row[k] = v
		}
		logits = append(logits, row...)
	}
	for _, r := range text {
		switch {
		case !strings.ContainsRune("_ 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", r):
			continue
		case r == '_':
			for range 5 {
				frame(map[int]float32{0: 12})
			}
			continue
		case r == ' ':
			frame(map[int]float32{4: 12})
			frame(map[int]float32{0: 12})
			continue
		case r >= 'a' && r <= 'z':
			k := id(r - 'a' + 'A')
			frame(map[int]float32{k: 10, k%27 + 5: 9.5})
		default:
			frame(map[int]float32{id(r): 12})
		}
		frame(map[int]float32{0: 12})
		frame(map[int]float32{0: 12})
	}
	return logits
}

func score(t *testing.T, text, said string) *Result {
	t.Helper()
	r, err := Score(t.Context(), model(), options(), words(text), Outputs{Logits: speak(said), Symbols: len(alphabet)})
	if err != nil {
		t.Fatal(err)
	}
	checkRanges(t, r, len(speak(said))/len(alphabet))
	return r
}

// checkRanges checks what is true for every result.
func checkRanges(t *testing.T, r *Result, frames int) {
	t.Helper()
	for _, v := range []float64{r.Overall, r.Accuracy, r.Fluency, r.Completeness} {
		if !(v >= 0 && v <= 100+1e-9) {
			t.Errorf("a score is %v", v)
		}
	}
	last := 0
	for _, w := range r.Words {
		if !(w.Score >= 0 && w.Score <= 100+1e-9) || w.Start > w.End || w.End > frames {
			t.Errorf("a word is %+v", w)
		}
		if w.End > 0 && w.Start < last {
			t.Errorf("the word %q starts at %d, before %d", w.Text, w.Start, last)
		}
		last = max(last, w.End)
		for _, u := range w.Units {
			if !(u.Score >= 0 && u.Score <= 100+1e-9) || u.Start >= u.End || u.Start < w.Start || u.End > w.End {
				t.Errorf("a unit of %q is %+v", w.Text, u)
			}
		}
	}
}

// summary returns a result like "THE -CAT +DOG SAT": "-" is an omission, "+" an
// insertion, "!" a mispronunciation, "~" not judged.
func summary(r *Result) string {
	var out []string
	for _, w := range r.Words {
		sign := map[any]string{Good: "", Mispronunciation: "!", Omission: "-", Insertion: "+", NotJudged: "~"}[w.Error]
		text := w.Text
		if w.Error == Insertion {
			for _, u := range w.Units {
				text += string(alphabet[u.Symbol])
			}
		}
		out = append(out, sign+text)
	}
	return strings.Join(out, " ")
}

func TestWords(t *testing.T) {
	for name, c := range map[string]struct{ text, said, want string }{
		"perfect":                      {"THE CAT SAT", "THE CAT SAT", "THE CAT SAT"},
		"repeated letters":             {"HELLO ALL", "HELLO ALL", "HELLO ALL"},
		"dropped in the middle":        {"THE BIG CAT SAT", "THE CAT SAT", "THE -BIG CAT SAT"},
		"dropped first":                {"THE CAT SAT", "CAT SAT", "-THE CAT SAT"},
		"dropped last":                 {"THE CAT SAT", "THE CAT", "THE CAT -SAT"},
		"two dropped":                  {"THE BIG BAD CAT", "THE CAT", "THE -BIG -BAD CAT"},
		"inserted in the middle":       {"THE CAT SAT", "THE BIG CAT SAT", "THE +BIG CAT SAT"},
		"inserted first":               {"THE CAT", "WELL THE CAT", "+WELL THE CAT"},
		"inserted last":                {"THE CAT", "THE CAT SAT DOWN", "THE CAT +SAT +DOWN"},
		"said twice":                   {"THE CAT", "THE THE CAT", "+THE THE CAT"},
		"another word":                 {"THE CAT SAT", "THE DOGGY SAT", "THE -CAT +DOGGY SAT"},
		"one letter wrong":             {"CATS", "CADS", "!CATS"},
		"most letters wrong":           {"BRIGHT DAY", "BROOKT DAY", "!BRIGHT DAY"},
		"without boundaries":           {"THE CAT SAT", "THECATSAT", "THE CAT SAT"},
		"boundaries too many":          {"HEDGEHOG", "HEDGE HOG", "HEDGEHOG"},
		"nothing said":                 {"THE CAT", "____", "-THE -CAT"},
		"another text":                 {"MY OLD FRIEND", "QUICK BUZZ JUG", "-MY -OLD -FRIEND +QUICK +BUZZ +JUG"},
		"too little for the text":      {"SUPERCALIFRAGILISTIC", "A", "-SUPERCALIFRAGILISTIC +A"},
		"the second reading":           {"USA/U|S|A WINS", "U S A WINS", "USA/U|S|A WINS"},
		"the first reading":            {"NASA/N|A|S|A WINS", "NASA WINS", "NASA/N|A|S|A WINS"},
		"not judged":                   {"I LOVE ~ TOWER", "I LOVE TOKYO TOWER", "I LOVE ~~ TOWER"},
		"not judged and nothing there": {"I LOVE ~ TOWER", "I LOVE TOWER", "I LOVE ~~ TOWER"},
	} {
		t.Run(name, func(t *testing.T) {
			r := score(t, c.text, c.said)
			if got := summary(r); got != c.want && strings.Replace(got, "THE +THE", "+THE THE", 1) != c.want {
				t.Errorf("%q read as %q gives %q, want %q", c.text, c.said, got, c.want)
			}
		})
	}
}

func TestScores(t *testing.T) {
	perfect := score(t, "THE CAT SAT DOWN", "THE CAT SAT DOWN")
	for name, v := range map[string]float64{
		"overall": perfect.Overall, "accuracy": perfect.Accuracy, "fluency": perfect.Fluency, "completeness": perfect.Completeness,
	} {
		if v < 99 {
			t.Errorf("a perfect reading's %s is %v", name, v)
		}
	}
	if r := score(t, "THE CAT SAT DOWN", "THE CAT DOWN"); r.Completeness != 75 || r.Accuracy < 70 || r.Accuracy > 85 {
		t.Errorf("with a word dropped: %+v", r)
	}
	if r := score(t, "MY OLD FRIEND", "QUICK BUZZ JUG"); r.Overall > 5 || r.Completeness != 0 {
		t.Errorf("another text: %+v", r)
	}
	if r := score(t, "MY OLD FRIEND", "______"); r.Overall != 0 || r.Accuracy != 0 || r.Fluency != 0 || r.Completeness != 0 {
		t.Errorf("silence: %+v", r)
	}
	// Scores fall from right to unclear to wrong, for the unit and everything above.
	right, unclear, wrong := score(t, "BRIGHT DAY", "BRIGHT DAY"), score(t, "BRIGHT DAY", "BRiGHT DAY"), score(t, "BRIGHT DAY", "BROGHT DAY")
	for name, of := range map[string]func(*Result) float64{
		"unit":     func(r *Result) float64 { return r.Words[0].Units[2].Score },
		"word":     func(r *Result) float64 { return r.Words[0].Score },
		"accuracy": func(r *Result) float64 { return r.Accuracy },
		"overall":  func(r *Result) float64 { return r.Overall },
	} {
		if a, b, c := of(right), of(unclear), of(wrong); !(a > b+1 && b > c+1) {
			t.Errorf("the scores of a %s are %v if right, %v if unclear, %v if wrong", name, a, b, c)
		}
	}
	if u := wrong.Words[0].Units[2]; u.Heard != id('O') || u.Score > 5 {
		t.Errorf("O for I: %+v", u)
	}
	if u := right.Words[0].Units[2]; u.Heard != id('I') || u.Start != 6 || u.End != 7 {
		t.Errorf("the third letter: %+v", u)
	}
}

func TestMissingAndExtraLetter(t *testing.T) {
	r := score(t, "BRIGHT", "BRGHT")
	if u := r.Words[0].Units[2]; u.Score > 5 || u.Heard != ctc.Deletion {
		t.Errorf("the missing letter: %+v", u)
	}
	if r := score(t, "HE RAN", "SHE RAN"); r.Words[0].Score > 70 {
		t.Errorf("SHE for HE has %v", r.Words[0].Score)
	}
}

func TestTimesOfAnOmissionAreUnset(t *testing.T) {
	r := score(t, "THE BIG CAT", "THE CAT")
	if w := r.Words[1]; w.Start != 0 || w.End != 0 || w.Score != 0 || w.Units != nil {
		t.Errorf("the omitted word is %+v", w)
	}
}

func TestFluency(t *testing.T) {
	steady := score(t, "THE CAT SAT DOWN", "THE CAT SAT DOWN").Fluency
	paused := score(t, "THE CAT SAT DOWN", "THE _______CAT _______SAT DOWN").Fluency
	atComma := score(t, "THE CAT, SAT DOWN", "THE CAT _______SAT DOWN").Fluency
	slow := score(t, "THE CAT SAT DOWN", "T__H__E__ C__A__T__ S__A__T__ D__O__W__N__").Fluency
	filled := score(t, "THE CAT SAT DOWN", "THE UMM CAT ERR SAT DOWN").Fluency
	if !(steady > 99 && paused < 75 && atComma > 99 && slow < 60 && filled < 80) {
		t.Errorf("fluency is %v steady, %v paused, %v with a pause at a comma, %v slow, %v with fillers", steady, paused, atComma, slow, filled)
	}
}

// TestQuietWordIsNotOmitted checks that a word counts as said if the most likely
// symbols miss it by little.
func TestQuietWordIsNotOmitted(t *testing.T) {
	logits := speak("THE BIG CAT")
	n := len(alphabet)
	for f := range len(logits) / n {
		row := logits[f*n:][:n]
		for k := range row {
			if row[k] == 12 && f >= 11 && f < 20 && k > 4 { // the letters of BIG
				row[k], row[0] = 9, 9.2
			}
		}
	}
	r, err := Score(t.Context(), model(), options(), words("THE BIG CAT"), Outputs{Logits: logits, Symbols: n})
	if err != nil {
		t.Fatal(err)
	}
	if got := summary(r); got != "THE BIG CAT" && got != "THE !BIG CAT" {
		t.Errorf("a quiet word: %q", got)
	}
}

// TestOtherModels checks that every measure, and a vocabulary without boundaries,
// give the same result.
func TestOtherModels(t *testing.T) {
	for _, measure := range []Measure{AlignmentFree, SelfAligned, MaxLogit} {
		r, err := Score(t.Context(), model(), Options{Measure: measure, Scale: 2}, words("THE BIG CAT SAT"), Outputs{Logits: speak("THE CAT SAX NOW"), Symbols: len(alphabet)})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.ReplaceAll(summary(r), "!", ""); got != "THE -BIG CAT SAT +NOW" {
			t.Errorf("measure %d: %q", measure, got)
		}
	}
	m := model()
	m.Boundary, m.Phonemes = -1, true
	for said, want := range map[string]string{
		"THECATSAT":     "THE CAT SAT",
		"THESAT":        "THE -CAT SAT",
		"THECATBUMPSAT": "THE CAT +BUMP SAT",
		"THEOCATSAT":    "THE CAT SAT", // an extra sound is not a word
	} {
		r, err := Score(t.Context(), m, options(), words("THE CAT SAT"), Outputs{Logits: speak(said), Symbols: len(alphabet)})
		if err != nil {
			t.Fatal(err)
		}
		if got := summary(r); got != want {
			t.Errorf("without boundaries, %q gives %q, want %q", said, got, want)
		}
	}
}

// TestLongReading checks that long audio, which is judged in parts, gives the result
// of each part alone.
func TestLongReading(t *testing.T) {
	const rounds = 40
	text := strings.Repeat("THE QUICK BROWN FOX JUMPS ", rounds)
	said := strings.Repeat("THE QUICK BROWN FOX JUMPS ", rounds/2) + "OVER THE QUICK FOX JUMPS " + strings.Repeat("____", 100) +
		strings.Repeat("THE QUICK BROWN FOX JUMPS ", rounds/2-1)
	r := score(t, text, said)
	want := strings.Fields(text)
	inserted := len(want) / 2
	want[inserted+2] = "-BROWN"
	want = append(want[:inserted], append([]string{"+OVER"}, want[inserted:]...)...)
	if got := summary(r); got != strings.Join(want, " ") {
		t.Errorf("read as %s", got)
	}
	frame := 0 // of the letters
	logits := speak(said)
	for _, w := range r.Words {
		for _, u := range w.Units {
			for logits[u.Start*len(alphabet)+u.Symbol] != 12 || u.Start < frame {
				t.Fatalf("%q has a unit %+v where it was not said", w.Text, u)
			}
			frame = u.End
		}
	}
}

func TestParts(t *testing.T) {
	p, err := ctc.LogSoftmax(make([]float32, 5000*2), 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &assessment{model: model(), p: p}
	at := func(from, to int) *item { return &item{said: true, first: from, last: to} }
	omitted := &item{}
	items := []*item{at(200, 600), omitted, at(605, 710), at(721, 1800), at(1801, 1900), omitted, at(3000, 3001)}
	want := []part{{items[:3], 100, 715}, {items[3:4], 715, 1800}, {items[4:6], 1800, 2000}, {items[6:], 2900, 3101}}
	got := r.parts(items)
	if len(got) != len(want) {
		t.Fatalf("%d parts, want %d: %v", len(got), len(want), got)
	}
	for i, p := range got {
		if p.from != want[i].from || p.to != want[i].to || len(p.items) != len(want[i].items) {
			t.Errorf("part %d goes from %d to %d with %d items, want %d to %d with %d",
				i, p.from, p.to, len(p.items), want[i].from, want[i].to, len(want[i].items))
		}
	}
	if silent := r.parts([]*item{omitted}); len(silent) != 1 || silent[0].from != 0 || silent[0].to != 5000 {
		t.Errorf("silence has the parts %v", silent)
	}
}

// TestLongSoundIsDivided checks that a long sound without boundaries is divided into
// parts.
func TestLongSoundIsDivided(t *testing.T) {
	said := strings.Repeat("BA", 500)
	r := &assessment{model: model()}
	p, err := ctc.LogSoftmax(speak(said), len(alphabet), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.p, r.heard = p, ctc.Greedy(p, 0)
	pieces, err := match(t.Context(), words("THE CAT"), r.heard, 4)
	if err != nil {
		t.Fatal(err)
	}
	r.words = words("THE CAT")
	for _, part := range r.parts(r.items(pieces)) {
		if n := part.to - part.from; r.seconds(0, n) > longestSeconds+2*marginSeconds {
			t.Errorf("a part of %d frames", n)
		}
	}
}

func TestNoiseIsBounded(t *testing.T) {
	var heard []ctc.Span
	for i := range 1000 {
		heard = append(heard, ctc.Span{Symbol: 5 + i%2, Start: i, End: i + 1, Score: -float64(i % 10)})
	}
	kept := plausible(heard, 20)
	if len(kept) != 500 {
		t.Fatalf("of 1,000 symbols in 20 s, %d are left", len(kept))
	}
	for i, s := range kept {
		if s.Score < -4 || i > 0 && s.Start <= kept[i-1].Start {
			t.Fatalf("the symbol %d is %+v", i, s)
		}
	}
	if got := plausible(heard[:400], 20); len(got) != 400 {
		t.Errorf("of 400 symbols in 20 s, %d are left", len(got))
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Score(ctx, model(), options(), words("THE CAT"), Outputs{Logits: speak("THE CAT"), Symbols: len(alphabet)}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled score: %v", err)
	}
}

func TestUnusableLogits(t *testing.T) {
	logits := speak("THE CAT")
	logits[17] = float32(math.NaN())
	if _, err := Score(t.Context(), model(), options(), words("THE CAT"), Outputs{Logits: logits, Symbols: len(alphabet)}); err == nil {
		t.Error("logits that are not numbers are scored")
	}
	r, err := Score(t.Context(), model(), options(), words("THE CAT"), Outputs{Logits: nil, Symbols: len(alphabet)})
	if err != nil || r.Completeness != 0 || summary(r) != "-THE -CAT" {
		t.Errorf("no frames at all: %+v, %v", r, err)
	}
}

// FuzzScore checks that for any text and audio every word of the text is in the
// result once and in order, and that all numbers are in range.
func FuzzScore(f *testing.F) {
	f.Add("THE CAT SAT", "THE CAT SAT", uint64(0), 0.0)
	f.Add("A", "", uint64(1), 1.0)
	f.Add("~ A ~", "B C", uint64(2), 5.0)
	f.Add("AAA/BBB AA", "A A A", uint64(3), 9.0)
	f.Fuzz(func(t *testing.T, text, said string, seed uint64, noise float64) {
		text, said = upper(text), upper(said)
		logits := speak(said)
		r := rand.New(rand.NewPCG(seed, 1))
		if noise > 0 && noise < 20 {
			for i := range logits {
				logits[i] += float32(r.NormFloat64() * noise)
			}
		}
		m := model()
		if seed%3 == 0 {
			m.Boundary = -1
		}
		reference := words(text)
		got, err := Score(t.Context(), m, options(), reference, Outputs{Logits: logits, Symbols: len(alphabet)})
		if err != nil {
			t.Fatal(err)
		}
		checkRanges(t, got, len(logits)/len(alphabet))
		i := 0
		for _, w := range got.Words {
			if w.Error == Insertion {
				continue
			}
			if i >= len(reference) || w.Text != reference[i].Text {
				t.Fatalf("the words of %q come back as %q", text, summary(got))
			}
			i++
		}
		if i != len(reference) {
			t.Errorf("of %d words, %d come back", len(reference), i)
		}
	})
}

// upper converts any text to one of the alphabet with a limited length.
func upper(text string) string {
	text = strings.Map(func(r rune) rune {
		if strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZ' _~/,.", r) {
			return r
		}
		return 'A' + r%26
	}, text)
	return text[:min(len(text), 60)]
}
