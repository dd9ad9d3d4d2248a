package gemini

import (
	"cmp"
	"maps"
	"regexp"
	"runtime/debug"
	"slices"

	"google.golang.org/genai"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
)

// Defaults of a model's parameters. The names of Gemini's models are parameters
// because Google replaces its models often.
const (
	DefaultModel       = "gemini-3.8-flash"
	DefaultSpeechModel = "gemini-3.8-flash-tts"
	DefaultVoice       = "Kore"

	defaultMaxTokens = 2048
	defaultThinking  = "minimal"
)

// parameters are the parameters of a model in the configuration.
// docs/cloud-fallback.md describes them; a test compares the two.
type parameters struct {
	// Model is the model of all tasks except Synthesize.
	Model string `json:"model"`
	// SpeechModel is the model of Synthesize.
	SpeechModel string `json:"speech_model"`
	// Voice is the default voice of Synthesize, one of Gemini's prebuilt voices.
	Voice string `json:"voice"`
	// MaxTokens is the limit of answers, including thoughts, if the request sets
	// none.
	MaxTokens int `json:"max_tokens"`
	// ThinkingLevel is how much the model thinks if the request does not ask for
	// thinking: "minimal", "low", "medium" or "high". Set "" for models without
	// thinking levels.
	ThinkingLevel string `json:"thinking_level"`
	// Safety maps categories of harm to the threshold from which on the API
	// blocks. Other categories have the API's default.
	Safety map[string]string `json:"safety"`
}

// modelName matches valid names. A name is part of a URL and must not change the
// rest of it.
var modelName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// defaults returns the parameters of a model that sets none.
func defaults() parameters {
	return parameters{
		Model: DefaultModel, SpeechModel: DefaultSpeechModel, Voice: DefaultVoice,
		MaxTokens: defaultMaxTokens, ThinkingLevel: defaultThinking,
	}
}

// CheckParameters returns the error with which the load of a model refuses its
// parameters, INVALID_REQUEST.
func CheckParameters(from *structpb.Struct) error {
	_, err := readParameters(from)
	return err
}

// readParameters reads and checks the parameters of a model.
func readParameters(from *structpb.Struct) (parameters, error) {
	p := defaults()
	if err := engines.DecodeParameters(from, &p); err != nil {
		return p, err
	}
	for _, name := range []struct{ parameter, value string }{
		{"model", p.Model}, {"speech_model", p.SpeechModel}, {"voice", p.Voice},
	} {
		if !modelName.MatchString(name.value) {
			return p, errs.New(errs.InvalidRequest, "parameter %q is %q: a name may contain only letters, digits, dots, hyphens and underscores",
				name.parameter, name.value).With("parameter", name.parameter)
		}
	}
	if err := cmp.Or(
		engines.CheckRange("max_tokens", p.MaxTokens, 1, maxMaxTokens),
		engines.CheckOneOf("thinking_level", p.ThinkingLevel, "", "minimal", "low", "medium", "high"),
	); err != nil {
		return p, err
	}
	for category, threshold := range p.Safety {
		if err := cmp.Or(
			engines.CheckOneOf("safety", category, slices.Sorted(maps.Keys(harmCategories()))...),
			engines.CheckOneOf("safety."+category, threshold, slices.Sorted(maps.Keys(harmThresholds()))...),
		); err != nil {
			return p, err
		}
	}
	return p, nil
}

// maxMaxTokens is the API's limit on max_tokens in requests.
const maxMaxTokens = 131072

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

// safetySettings converts the parameter Safety to the API's type.
func (p parameters) safetySettings() []*genai.SafetySetting {
	var settings []*genai.SafetySetting
	for _, category := range slices.Sorted(maps.Keys(p.Safety)) {
		settings = append(settings, &genai.SafetySetting{
			Category: harmCategories()[category], Threshold: harmThresholds()[p.Safety[category]],
		})
	}
	return settings
}

// sdkVersion returns the version of the client library in this program.
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
