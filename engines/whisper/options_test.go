package whisper

import (
	"reflect"
	"testing"

	"github.com/lexilingo/modelgateway/engines/whisper/settings"
	"github.com/lexilingo/modelgateway/engines/whisper/speech"
	"github.com/lexilingo/modelgateway/engines/whisper/whispercpp"
)

func TestMaxDecodersIsWhispercpps(t *testing.T) {
	if settings.MaxDecoders != whispercpp.MaxDecoders {
		t.Errorf("settings has %d, whisper.cpp %d", settings.MaxDecoders, whispercpp.MaxDecoders)
	}
}

// TestParametersArePassedOn checks that each parameter changes an option of
// whisper.cpp. Those in usedElsewhere are not options. A test in whispercpp checks that
// each option reaches whisper.cpp.
func TestParametersArePassedOn(t *testing.T) {
	usedElsewhere := map[string]string{
		"FlashAttention":    "an option of the load, in engine.go",
		"VADModel":          "a file that stream.go opens",
		"VADSamplesOverlap": "the speech is cut out in transcription.go",
		"SilenceThreshold":  "silence is recognised without whisper.cpp",
		"BlockSeconds":      "blocks are made in whole.go",
		"StepMS":            "steps are made in live.go",
		"TrimSeconds":       "the buffer is trimmed in live.go",
	}
	passed := func(p settings.Parameters) any {
		q := parameters{p}
		return []any{q.options(1), q.vad(), q.audioContext(speech.Rate)}
	}
	plain := passed(settings.Defaults())
	fields := reflect.TypeFor[settings.Parameters]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		changed := settings.Defaults()
		field := reflect.ValueOf(&changed).Elem().Field(i)
		switch field.Kind() {
		case reflect.Bool:
			field.SetBool(!field.Bool())
		case reflect.Int:
			field.SetInt(field.Int() + 1)
		case reflect.Float64:
			field.SetFloat(field.Float() + 1)
		case reflect.String:
			field.SetString(settings.AudioContextShort)
		default:
			t.Fatalf("add the kind %v to the test", field.Kind())
		}
		differs := !reflect.DeepEqual(passed(changed), plain)
		if _, elsewhere := usedElsewhere[name]; differs == elsewhere {
			t.Errorf("%s changes an option: %v; in usedElsewhere: %v", name, differs, elsewhere)
		}
		delete(usedElsewhere, name)
	}
	for name := range usedElsewhere {
		t.Errorf("there is no parameter %s", name)
	}
}
