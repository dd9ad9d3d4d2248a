package whisperimport

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// ggmlTokens is how many tokens whisper.cpp's files list: all but the special ones,
// whose numbers follow.
const ggmlTokens = 50257

const (
	endOfText     = "<|endoftext|>"
	maxVocabulary = 32 << 20 // bytes
)

// readTokens returns the bytes of each token that ggml lists. English vocabularies
// end with <|endoftext|>; multilingual ones have an empty token there.
func readTokens(folder fs.FS, vocabulary int64) ([][]byte, error) {
	byNumber, file, err := readVocabulary(folder)
	if err != nil {
		return nil, err
	}
	bytes := byteOfCharacter()
	tokens := make([][]byte, ggmlTokens)
	for number := range tokens {
		token, ok := byNumber[number]
		switch {
		case !ok:
			return nil, formatError("%s has no token %d; it does not belong to a Whisper model", file, number)
		case token == endOfText:
			if vocabulary == englishTokens {
				tokens[number] = []byte(token)
			}
			continue
		}
		for _, character := range token {
			b, ok := bytes[character]
			if !ok {
				return nil, formatError("token %d in %s contains %q, which stands for no byte", number, file, character)
			}
			tokens[number] = append(tokens[number], b)
		}
	}
	return tokens, nil
}

// tokenizer is the part of tokenizer.json that matters here.
type tokenizer struct {
	Model struct {
		Vocab map[string]int `json:"vocab"`
	} `json:"model"`
	Added []struct {
		ID      int    `json:"id"`
		Content string `json:"content"`
	} `json:"added_tokens"`
}

// readVocabulary returns the tokens by their numbers, and the file that has them:
// tokenizer.json, else vocab.json with added_tokens.json.
func readVocabulary(folder fs.FS) (byNumber map[int]string, file string, err error) {
	byNumber = map[int]string{}
	var whole tokenizer
	err = readJSON(folder, "tokenizer.json", &whole)
	if err == nil {
		for _, added := range whole.Added {
			byNumber[added.ID] = added.Content
		}
		addTokens(byNumber, whole.Model.Vocab)
		return byNumber, "tokenizer.json", nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, "", err
	}
	var vocab, added map[string]int
	if err := readJSON(folder, "vocab.json", &vocab); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, "", &FormatError{Message: "the folder has neither tokenizer.json nor vocab.json",
				Advice: "Copy the file from the model that this one was made from."}
		}
		return nil, "", err
	}
	if err := readJSON(folder, "added_tokens.json", &added); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, "", err
	}
	addTokens(byNumber, added)
	addTokens(byNumber, vocab)
	return byNumber, "vocab.json", nil
}

func addTokens(byNumber map[int]string, vocab map[string]int) {
	for token, number := range vocab {
		byNumber[number] = token
	}
}

// readJSON reads a file of limited size.
func readJSON(folder fs.FS, name string, value any) error {
	f, err := folder.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxVocabulary+1))
	if err != nil {
		return err
	}
	if len(text) > maxVocabulary {
		return formatError("%s is larger than %d bytes", name, maxVocabulary)
	}
	if err := json.Unmarshal(text, value); err != nil {
		return &FormatError{Message: fmt.Sprintf("%s is not what it should be: %s", name, strings.TrimPrefix(err.Error(), "json: ")),
			Advice: "Fetch it again."}
	}
	return nil
}

// byteOfCharacter is the alphabet of GPT-2's vocabularies: a printable character
// for each byte.
func byteOfCharacter() map[rune]byte {
	alphabet := map[rune]byte{}
	next := rune(256)
	for b := range 256 {
		printable := b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae
		if printable {
			alphabet[rune(b)] = byte(b)
			continue
		}
		alphabet[next] = byte(b)
		next++
	}
	return alphabet
}
