package whisper

import (
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/whisper/whispercpp"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// request is the checked configuration of a call.
type request struct {
	options whispercpp.Options
	// detect reports whether the language must be detected.
	detect bool
	// words reports whether the answer contains words.
	words bool
	// resumed reports whether the prompt is the text of a lost stream.
	resumed bool
}

const (
	english        = "en"
	automatic      = "auto"
	maxPromptBytes = 1 << 16 // the limit of the API is far lower
)

// aliases maps codes of languages to those that whisper.cpp uses.
var aliases = map[string]string{"jv": "jw", "nb": "no", "fil": "tl", "iw": "he"}

// request checks the configuration of a call.
func (m *model) request(cfg *gatewayv1.TranscriptionConfig) (request, error) {
	r := request{options: m.parameters.options(m.threads), words: cfg.GetWordTimestamps(), resumed: cfg.GetResumeFrom().GetCommittedText() != ""}
	r.options.Translate = cfg.GetTranslate() && m.weights.Multilingual()
	r.options.InitialPrompt = norm.NFC.String(strings.ReplaceAll(cfg.GetInitialPrompt(), "\x00", ""))
	r.options.TokenTimes = r.words
	if beams := int(cfg.GetBeamSize()); beams > 0 {
		r.options.BeamSize = beams
	}
	if len(r.options.InitialPrompt) > maxPromptBytes || r.options.BeamSize < 0 {
		return r, errs.New(errs.InvalidRequest, "the initial prompt is too long or the beam size is negative")
	}
	// whisper has no regions: "en-US" is "en".
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
			"the model does not support the language %q: use an ISO 639-1 code such as \"en\" or \"vi\", or leave the language unset", cfg.GetLanguage())
	case whispercpp.LanguageCode(id) != english && !m.weights.Multilingual():
		return r, errs.New(errs.InvalidRequest,
			"the model supports only English, not %q: configure a multilingual model, whose name does not end in .en", cfg.GetLanguage())
	}
	r.options.Language = id
	return r, nil
}
