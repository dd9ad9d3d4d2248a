package whisper

import (
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/whisper/whispercpp"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// request is what a call asks for.
type request struct {
	options whispercpp.Options
	// detect tells that the language is not given.
	detect bool
	// words tells that words are part of the answer.
	words bool
}

const (
	english        = "en"
	automatic      = "auto"
	maxPromptBytes = 1 << 16 // the API lets far less in
)

// aliases are codes of languages that whisper.cpp knows by another one.
var aliases = map[string]string{"jv": "jw", "nb": "no", "fil": "tl", "iw": "he"}

// request checks a call's configuration.
func (m *model) request(cfg *gatewayv1.TranscriptionConfig) (request, error) {
	r := request{options: m.parameters.options(m.threads), words: cfg.GetWordTimestamps()}
	r.options.Translate = cfg.GetTranslate() && m.weights.Multilingual()
	r.options.InitialPrompt = strings.ReplaceAll(cfg.GetInitialPrompt(), "\x00", "")
	r.options.TokenTimes = r.words
	if beams := int(cfg.GetBeamSize()); beams > 0 {
		r.options.BeamSize = beams
	}
	if len(r.options.InitialPrompt) > maxPromptBytes || r.options.BeamSize < 0 {
		return r, errs.New(errs.InvalidRequest, "the initial prompt is too long, or the beam size below 0")
	}
	// "en-US" is English as it is spoken there; whisper knows no regions.
	language, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(cfg.GetLanguage(), "_", "-")), "-")
	if language == "" || language == automatic {
		r.detect = m.weights.Multilingual()
		language = english
	}
	if other, ok := aliases[language]; ok {
		language = other
	}
	id, known := whispercpp.LanguageID(language)
	switch {
	case !known || m.weights.Multilingual() && id >= m.weights.Languages():
		return r, errs.New(errs.InvalidRequest,
			"this model knows no language %q; give its ISO 639-1 code, as \"en\" or \"vi\", or leave it out", cfg.GetLanguage())
	case whispercpp.LanguageCode(id) != english && !m.weights.Multilingual():
		return r, errs.New(errs.InvalidRequest,
			"this model knows English only, not %q; configure a multilingual one, whose name does not end in .en", cfg.GetLanguage())
	}
	r.options.Language = id
	return r, nil
}
