package gemini

import (
	"maps"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	"google.golang.org/genai"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
)

// Defaults of a model's parameters. Names of models move: they are settings.
const (
	DefaultModel       = "gemini-3.8-flash"
	DefaultSpeechModel = "gemini-3.8-flash-tts"
	DefaultVoice       = "Kore"

	defaultMaxTokens = 2048
	defaultThinking  = "minimal"
)

// parameters are a model's settings in the configuration.
type parameters struct {
	// Model answers in text: conversations, tutoring, and what is heard.
	Model string `json:"model"`
	// SpeechModel speaks.
	SpeechModel string `json:"speech_model"`
	// Voice is the prebuilt voice of speech.
	Voice string `json:"voice"`
	// MaxTokens bounds answers whose request sets no limit, thoughts included.
	MaxTokens int `json:"max_tokens"`
	// ThinkingLevel is how much the model thinks where the request does not ask it
	// to think: "minimal", "low", "medium" or "high"; "" leaves it to the model,
	// for models that do not know levels.
	ThinkingLevel string `json:"thinking_level"`
	// Safety maps categories of harm to the least probability that is blocked;
	// what is not named has the API's own threshold.
	Safety map[string]string `json:"safety"`
}

// modelName keeps names from changing the URL that they become a part of.
var modelName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// defaults returns the parameters of a model that sets none.
func defaults() parameters {
	return parameters{
		Model: DefaultModel, SpeechModel: DefaultSpeechModel, Voice: DefaultVoice,
		MaxTokens: defaultMaxTokens, ThinkingLevel: defaultThinking,
	}
}

// readParameters checks the settings of a model.
func readParameters(opts engines.LoadOptions) (parameters, error) {
	p := defaults()
	if err := engines.DecodeParameters(opts.Parameters, &p); err != nil {
		return p, err
	}
	for _, name := range []struct{ parameter, value string }{
		{"model", p.Model}, {"speech_model", p.SpeechModel}, {"voice", p.Voice},
	} {
		if !modelName.MatchString(name.value) {
			return p, errs.New(errs.InvalidRequest, "parameter %q is %q: a name has letters, digits, dots, dashes and underscores",
				name.parameter, name.value).With("parameter", name.parameter)
		}
	}
	if p.MaxTokens < 1 || p.MaxTokens > maxMaxTokens {
		return p, errs.New(errs.InvalidRequest, "parameter \"max_tokens\" is %d: it must be 1 to %d", p.MaxTokens, maxMaxTokens).
			With("parameter", "max_tokens")
	}
	if err := known("thinking_level", p.ThinkingLevel, []string{"", "minimal", "low", "medium", "high"}); err != nil {
		return p, err
	}
	for category, threshold := range p.Safety {
		if err := known("safety", category, slices.Sorted(maps.Keys(harmCategories()))); err != nil {
			return p, err
		}
		if err := known("safety."+category, threshold, slices.Sorted(maps.Keys(harmThresholds()))); err != nil {
			return p, err
		}
	}
	return p, nil
}

// maxMaxTokens is the API's limit on max_tokens in requests.
const maxMaxTokens = 131072

func known(parameter, value string, values []string) error {
	if slices.Contains(values, value) {
		return nil
	}
	return errs.New(errs.InvalidRequest, "parameter %q is %q: it must be one of %s",
		parameter, value, strings.Trim(strings.Join(values, ", "), ", ")).With("parameter", parameter)
}

func harmCategories() map[string]genai.HarmCategory {
	return map[string]genai.HarmCategory{
		"harassment":        genai.HarmCategoryHarassment,
		"hate_speech":       genai.HarmCategoryHateSpeech,
		"sexually_explicit": genai.HarmCategorySexuallyExplicit,
		"dangerous_content": genai.HarmCategoryDangerousContent,
	}
}

func harmThresholds() map[string]genai.HarmBlockThreshold {
	return map[string]genai.HarmBlockThreshold{
		"off":                    genai.HarmBlockThresholdOff,
		"block_none":             genai.HarmBlockThresholdBlockNone,
		"block_only_high":        genai.HarmBlockThresholdBlockOnlyHigh,
		"block_medium_and_above": genai.HarmBlockThresholdBlockMediumAndAbove,
		"block_low_and_above":    genai.HarmBlockThresholdBlockLowAndAbove,
	}
}

// safetySettings turns the parameter into what the API takes.
func (p parameters) safetySettings() []*genai.SafetySetting {
	var settings []*genai.SafetySetting
	for _, category := range slices.Sorted(maps.Keys(p.Safety)) {
		settings = append(settings, &genai.SafetySetting{
			Category: harmCategories()[category], Threshold: harmThresholds()[p.Safety[category]],
		})
	}
	return settings
}

// sdkVersion is the version of the client library that was built in.
func sdkVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "google.golang.org/genai" {
				return m.Version
			}
		}
	}
	return "unknown"
}
