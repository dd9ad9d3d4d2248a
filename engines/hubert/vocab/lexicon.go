package vocab

import (
	"bufio"
	"bytes"
	"path/filepath"
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// maxLexiconBytes is several times the size of CMUdict.
const maxLexiconBytes = 64 << 20

// lexicon has the pronunciations of words in lower case.
type lexicon map[string][][]int

// ReadLexicon reads a pronunciation dictionary, which a phoneme vocabulary needs to
// convert a text to phonemes. A line has a word and its phonemes, as in CMUdict:
//
//	HELLO  HH AH0 L OW1
//	HELLO(2)  HH EH0 L OW1
//
// Lines that start with ";;;" or "#" are comments. Digits of stress are dropped if
// the vocabulary has none. Pronunciations with unknown phonemes are left out; if
// those are the majority, the file is MODEL_FILE_INVALID. A letter vocabulary ignores
// the file.
func (v *Vocabulary) ReadLexicon(path string) error {
	if v.Unit != gatewayv1.PronunciationUnit_PRONUNCIATION_UNIT_PHONEME {
		return nil
	}
	data, err := readFile(path, maxLexiconBytes)
	if errs.ReasonOf(err) == errs.ModelFileMissing {
		return errs.New(errs.ModelFileMissing,
			"the model's symbols are phonemes, so it needs a pronunciation dictionary: put the file %s beside it, with a word and its phonemes on each line",
			filepath.Base(path)).With("path", filepath.Base(path)).WithCause(err)
	}
	if err != nil {
		return err
	}
	v.lexicon = lexicon{}
	used, unused := 0, 0
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		line := lines.Text()
		fields := strings.Fields(line)
		if len(fields) < 2 || strings.HasPrefix(line, ";;;") || strings.HasPrefix(line, "#") {
			continue
		}
		word, _, _ := strings.Cut(strings.ToLower(fields[0]), "(")
		if ids := v.phonemes(fields[1:]); ids != nil && word != "" {
			v.lexicon[word] = append(v.lexicon[word], ids)
			used++
		} else {
			unused++
		}
	}
	if err := lines.Err(); err != nil || used == 0 || unused > used {
		return errs.New(errs.ModelFileInvalid,
			"the pronunciation dictionary %s cannot be used: of its %d pronunciations, %d have phonemes that the model does not have",
			filepath.Base(path), used+unused, unused).With("path", filepath.Base(path)).WithCause(err)
	}
	return nil
}

// phonemes returns the outputs of phonemes, or nil if one is unknown.
func (v *Vocabulary) phonemes(names []string) []int {
	ids := make([]int, 0, len(names))
	for _, name := range names {
		id, ok := v.phoneme(name)
		if !ok {
			return nil
		}
		ids = append(ids, id)
	}
	return ids
}

func (v *Vocabulary) phoneme(name string) (int, bool) {
	for _, n := range []string{name, strings.TrimRight(name, "012")} {
		for _, spelled := range []string{n, strings.ToLower(n), strings.ToUpper(n)} {
			if id, ok := v.ids[spelled]; ok && id != v.Blank && id != v.Boundary && !isSpecial(spelled) {
				return id, true
			}
		}
	}
	return 0, false
}
