// Package vocab reads the vocabulary of a CTC model: which of its outputs are
// letters or phonemes, the blank, the boundary of words, or unused.
package vocab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// None stands for a symbol that a vocabulary does not have.
const None = -1

// Limits of a vocabulary file.
const (
	maxFileBytes = 4 << 20
	maxSymbols   = 100_000
)

// Vocabulary maps the symbols of a model to its outputs.
type Vocabulary struct {
	// Unit says whether the symbols are letters or phonemes.
	Unit gatewayv1.PronunciationUnit
	// Blank is the CTC blank. Boundary is the symbol between words, or None.
	Blank, Boundary int
	// Masked are outputs that do not stand for a sound.
	Masked []int

	symbols []string
	ids     map[string]int
	lexicon lexicon // only for phonemes
}

// Read reads a vocab.json of a published model, which maps symbols to outputs. added
// is the path of an added_tokens.json with further symbols, which are read if the
// model has more outputs than the vocab.json has symbols; it may be empty. Errors are
// MODEL_FILE_MISSING and MODEL_FILE_INVALID.
func Read(path, added string, outputs int) (*Vocabulary, error) {
	name := filepath.Base(path)
	ids, err := readIDs(path)
	if err != nil {
		return nil, err
	}
	if len(ids) != outputs && added != "" {
		more, err := readIDs(added)
		if err != nil {
			return nil, err
		}
		maps.Copy(ids, more)
	}
	if len(ids) != outputs {
		return nil, invalid(name, nil, "it has %d symbols, and the model has %d outputs; use the file that belongs to the model", len(ids), outputs)
	}
	v := &Vocabulary{Blank: None, Boundary: None, symbols: make([]string, outputs), ids: ids}
	taken := make([]bool, outputs)
	for _, symbol := range slices.Sorted(maps.Keys(ids)) {
		id := ids[symbol]
		if id < 0 || id >= outputs {
			return nil, invalid(name, nil, "the symbol %q has the number %d, and there are %d symbols", clip(symbol), id, outputs)
		}
		if taken[id] {
			return nil, invalid(name, nil, "the symbols %q and %q have the same number %d", clip(v.symbols[id]), clip(symbol), id)
		}
		taken[id], v.symbols[id] = true, symbol
	}
	if err := v.classify(); err != nil {
		return nil, invalid(name, err, "%v", err)
	}
	return v, nil
}

func invalid(name string, cause error, format string, args ...any) error {
	return errs.New(errs.ModelFileInvalid, "the vocabulary %s cannot be used: %s", name, fmt.Sprintf(format, args...)).
		With("path", name).WithCause(cause)
}

// readIDs reads a JSON object of whole numbers.
func readIDs(path string) (map[string]int, error) {
	data, err := readFile(path, maxFileBytes)
	if err != nil {
		return nil, err
	}
	name := filepath.Base(path)
	var ids map[string]int
	if err := json.Unmarshal(data, &ids); err != nil {
		return nil, invalid(name, err, "it is not a JSON object of symbols and their numbers (%v); fetch it again", err)
	}
	if len(ids) < 2 || len(ids) > maxSymbols {
		return nil, invalid(name, nil, "it has %d symbols", len(ids))
	}
	return ids, nil
}

// readFile reads a file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	name := filepath.Base(path)
	f, err := os.Open(path) //nolint:gosec // the path is the configuration's
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errs.New(errs.ModelFileMissing, "the model file %s does not exist; put it beside the model", name).
			With("path", name).WithCause(err)
	case err != nil:
		return nil, invalid(name, err, "it cannot be opened; check its permissions")
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, invalid(name, err, "it is not a regular file")
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return nil, invalid(name, err, "it cannot be read; check the disk")
	case int64(len(data)) > limit:
		return nil, invalid(name, nil, "it is larger than %d bytes", limit)
	}
	return data, nil
}

func clip(symbol string) string {
	const most = 20
	if runes := []rune(symbol); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return symbol
}

// isSpecial reports whether a symbol does not stand for a sound: <s>, </s>, <unk>,
// [UNK] and the like.
func isSpecial(symbol string) bool {
	return len(symbol) > 2 && (symbol[0] == '<' && symbol[len(symbol)-1] == '>' || symbol[0] == '[' && symbol[len(symbol)-1] == ']')
}

// classify finds the special symbols and the unit of the others.
func (v *Vocabulary) classify() error {
	for _, name := range []string{"<pad>", "[PAD]", "<blank>", "<blk>", "[BLANK]"} {
		if id, ok := v.ids[name]; ok {
			v.Blank = id
			break
		}
	}
	if v.Blank == None {
		return errors.New("it has no CTC blank, usually named <pad>")
	}
	for _, name := range []string{"|", " "} {
		if id, ok := v.ids[name]; ok {
			v.Boundary = id
			break
		}
	}
	var said []string
	for id, symbol := range v.symbols {
		switch {
		case id == v.Blank || id == v.Boundary:
		case isSpecial(symbol):
			v.Masked = append(v.Masked, id)
		default:
			said = append(said, symbol)
		}
	}
	v.Unit = unitOf(said)
	if v.Unit == gatewayv1.PronunciationUnit_PRONUNCIATION_UNIT_UNSPECIFIED {
		return errors.New("its symbols are neither single letters nor phonemes (IPA, ARPAbet); use a model of one of these")
	}
	return nil
}

// Outputs returns the number of outputs.
func (v *Vocabulary) Outputs() int { return len(v.symbols) }

// Symbol returns the symbol of an output.
func (v *Vocabulary) Symbol(id int) string { return v.symbols[id] }

// Spell returns the ways to write a spoken word, given in lower case, in symbols. It
// returns none if the vocabulary lacks a letter, or the lexicon of a phoneme
// vocabulary lacks the word.
func (v *Vocabulary) Spell(word string) [][]int {
	if v.Unit == gatewayv1.PronunciationUnit_PRONUNCIATION_UNIT_PHONEME {
		return v.lexicon[word]
	}
	var ids []int
	for _, r := range norm.NFC.String(word) {
		more := v.letter(r)
		if more == nil {
			return nil
		}
		ids = append(ids, more...)
	}
	if ids == nil {
		return nil
	}
	return [][]int{ids}
}

// letter returns the outputs for a letter: for the letter itself, without its marks,
// or for the letters that replace it. An apostrophe that the vocabulary lacks is left
// out. It returns nil if the letter cannot be written.
func (v *Vocabulary) letter(r rune) []int {
	if id, ok := v.find(string(r)); ok {
		return []int{id}
	}
	if r == '\'' || unicode.Is(unicode.Mn, r) {
		return []int{}
	}
	base := folded()[unicode.ToLower(r)]
	if base == "" {
		first, _ := utf8.DecodeRuneInString(norm.NFD.String(string(r)))
		if first == r {
			return nil
		}
		base = string(first)
	}
	var ids []int
	for _, b := range base {
		id, ok := v.find(string(b))
		if !ok {
			return nil
		}
		ids = append(ids, id)
	}
	return ids
}

// folded has replacements for Latin letters that Unicode does not decompose.
func folded() map[rune]string {
	return map[rune]string{'đ': "d", 'ł': "l", 'ø': "o", 'ð': "d", 'þ': "th", 'ß': "ss", 'æ': "ae", 'œ': "oe", 'ı': "i"}
}

// find returns the output of a letter in either case.
func (v *Vocabulary) find(letter string) (int, bool) {
	for _, l := range []string{letter, strings.ToUpper(letter), strings.ToLower(letter)} {
		if id, ok := v.ids[l]; ok && !isSpecial(l) && id != v.Boundary {
			return id, true
		}
	}
	return 0, false
}
