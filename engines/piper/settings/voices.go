package settings

import (
	"path/filepath"
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/footprint"
	"github.com/lexilingo/modelgateway/engines/onnx/onnxfile"
	"github.com/lexilingo/modelgateway/engines/piper/voicefile"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Voices returns the voices of a model from its files, the default speaker first. Errors
// are MODEL_FILE_MISSING, MODEL_FILE_INVALID and INVALID_REQUEST.
func Voices(m footprint.Model) ([]*gatewayv1.Voice, error) {
	p, err := Read(m.Parameters)
	if err != nil {
		return nil, err
	}
	files, err := voicefile.Find(m.Path)
	if err != nil {
		return nil, err
	}
	config, err := voicefile.Read(files.Config, files.Name)
	if err != nil {
		return nil, err
	}
	graph, err := onnxfile.Describe(files.Model)
	if err != nil {
		return nil, errs.New(errs.ModelFileInvalid, "the voice %s cannot be read: %s", files.Name, errs.WithoutPath(err)).WithCause(err)
	}
	// A second output has the durations of the phonemes, from which the times follow.
	// piper-tts's patch_voice_with_alignment does not state its type.
	wordTimes := len(graph.Outputs) > 1 && (graph.Outputs[1].Type == onnxfile.Float || graph.Outputs[1].Type == 0)
	voice := func(name, speaker string) *gatewayv1.Voice {
		return &gatewayv1.Voice{
			Name: name, Speaker: speaker, Language: config.Language, WordTimes: wordTimes,
			SampleRateHertz: int32(config.SampleRate), //nolint:gosec // checked by voicefile
		}
	}
	name := strings.TrimSuffix(filepath.Base(files.Model), filepath.Ext(files.Model))
	if config.Speakers == 1 {
		return []*gatewayv1.Voice{voice(name, "")}, nil
	}
	first, ok := config.Speaker(p.Speaker)
	if !ok {
		return nil, errs.New(errs.InvalidRequest, "the voice has no speaker %.40q", p.Speaker)
	}
	voices := make([]*gatewayv1.Voice, 0, config.Speakers)
	for i, speaker := range config.SpeakerNames() {
		v := voice(name+", "+speaker, speaker)
		if int64(i) == first {
			voices = append([]*gatewayv1.Voice{v}, voices...)
		} else {
			voices = append(voices, v)
		}
	}
	return voices, nil
}
