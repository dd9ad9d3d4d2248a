package settings

import (
	"strings"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/internal/paramtest"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func TestParametersAreDocumented(t *testing.T) {
	paramtest.Documented(t, "../../../docs/speech-to-text.md", Defaults())
}

func TestReadRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		parameters map[string]any
		want       string // part of the error's message
	}{
		"unknown key":     {map[string]any{"beam_sizes": 1}, `"beam_size"`},
		"out of range":    {map[string]any{"beam_size": 17}, "from 0 to 16"},
		"unknown context": {map[string]any{"audio_ctx": "half"}, `"short"`},
	} {
		from, err := structpb.NewStruct(c.parameters)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Read(from)
		if errs.ReasonOf(err) != errs.InvalidRequest || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want INVALID_REQUEST with %s", name, err, c.want)
		}
	}
}

// TestMaxBeamSizeIsTheAPIs compares the limit of the parameter with that of requests.
func TestMaxBeamSizeIsTheAPIs(t *testing.T) {
	field := (&gatewayv1.TranscriptionConfig{}).ProtoReflect().Descriptor().Fields().ByName("beam_size")
	rules, _ := proto.GetExtension(field.Options(), validate.E_Field).(*validate.FieldRules)
	if got := rules.GetInt32().GetLte(); got != maxBeamSize {
		t.Errorf("the API allows beam sizes up to %d, the parameter up to %d", got, maxBeamSize)
	}
}
