package errs

import (
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Messages of protojson lose their prefix and position.
func TestProtoErrorsArePlain(t *testing.T) {
	for text, want := range map[string]string{
		`{"nope": 1}`:   `unknown field "nope"`,
		`{"model": 1}`:  `invalid value for string field model: 1`,
		`{"model": "x`:  `unexpected EOF`,
		`{"model" "a"}`: `unexpected character ", missing ":" after field name`,
		`[]`:            `unexpected token [`,
		"{\n\"model\")": `unexpected character ), missing ":" after field name`,
	} {
		err := protojson.Unmarshal([]byte(text), &gatewayv1.ChatRequest{})
		if got := PlainProtoError(err); got != want {
			t.Errorf("%s: %q, want %q; was %q", text, got, want, err)
		}
	}
	if got := PlainProtoError(nil); got != "" {
		t.Errorf("nil: %q", got)
	}
}
