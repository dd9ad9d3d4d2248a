package engines_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
)

type embedded struct {
	Seed int `json:"seed"`
}

type parameters struct {
	embedded
	ContextSize int                      `json:"context_size"`
	UseMmap     *bool                    `json:"use_mmap"`
	Scale       float64                  `json:"scale"`
	Names       []string                 `json:"names"`
	Rope        struct{ Base int }       `json:"rope"`
	Nested      *struct{ Depth float32 } `json:"nested"`
	Hidden      string                   `json:"-"`
	private     int
}

func parse(t testing.TB, text string) *structpb.Struct {
	t.Helper()
	s := &structpb.Struct{}
	if err := s.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDecodeParameters(t *testing.T) {
	p := parameters{ContextSize: 4096, Scale: 1.5, private: 7}
	err := engines.DecodeParameters(parse(t, `{"seed": 3, "use_mmap": false, "names": ["a", "b"], "rope": {"Base": 10000}, "nested": {"Depth": 0.5}}`), &p)
	if err != nil {
		t.Fatal(err)
	}
	if p.Seed != 3 || p.UseMmap == nil || *p.UseMmap || len(p.Names) != 2 || p.Rope.Base != 10000 || p.Nested.Depth != 0.5 {
		t.Errorf("decoded %+v", p)
	}
	if p.ContextSize != 4096 || p.Scale != 1.5 || p.private != 7 {
		t.Errorf("the defaults are gone: %+v", p)
	}
	if err := engines.DecodeParameters(nil, &p); err != nil {
		t.Errorf("no parameters: %v", err)
	}
}

func TestDecodeParametersRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{"context_sise": 1}`:           `unknown parameter "context_sise"; did you mean "context_size"?`,
		`{"ContextSize": 1}`:            `did you mean "context_size"?`,
		`{"zzzzzz": 1}`:                 `unknown parameter "zzzzzz"; use one of context_size, names, nested, rope, scale, seed, use_mmap`,
		`{"Hidden": "x"}`:               `unknown parameter "Hidden"`,
		`{"private": 1}`:                `unknown parameter "private"`,
		`{"rope": {"base": 1}}`:         `unknown parameter "rope.base"; did you mean "rope.Base"?`,
		`{"nested": {"Dept": 1}}`:       `did you mean "nested.Depth"?`,
		`{"context_size": "big"}`:       `parameter "context_size" must be a whole number`,
		`{"context_size": 1.5}`:         `parameter "context_size" must be a whole number`,
		`{"context_size": 1e30}`:        `parameter "context_size" must be a whole number`,
		`{"use_mmap": "yes"}`:           `parameter "use_mmap" must be true or false`,
		`{"names": "a"}`:                `parameter "names" must be a list`,
		`{"rope": 1}`:                   `parameter "rope" must be a mapping`,
		`{"scale": true}`:               `parameter "scale" must be a number`,
		`{"names": [{"no": "a text"}]}`: `must be a string`,
	} {
		var p parameters
		err := engines.DecodeParameters(parse(t, text), &p)
		if errs.ReasonOf(err) != errs.InvalidRequest || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is refused with %v; want %s", text, err, want)
		}
	}
	if err := engines.DecodeParameters(parse(t, `{}`), parameters{}); errs.ReasonOf(err) != errs.Internal {
		t.Errorf("a struct that is not a pointer: %v", err)
	}
}

// Whatever is accepted can be decoded by encoding/json, and all else is refused with
// a reason.
func FuzzDecodeParameters(f *testing.F) {
	for _, seed := range []string{`{}`, `{"seed":1}`, `{"context_size":"x"}`, `{"rope":{"Base":2}}`, `{"a":[null]}`, `{"":{}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := &structpb.Struct{}
		if s.UnmarshalJSON([]byte(text)) != nil {
			t.Skip()
		}
		var ours, plain parameters
		if err := engines.DecodeParameters(s, &ours); err != nil {
			if errs.ReasonOf(err) != errs.InvalidRequest {
				t.Errorf("refused with %v", err)
			}
			return
		}
		data, err := s.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &plain); err != nil {
			t.Errorf("accepted what cannot be decoded: %v", err)
		}
	})
}

func TestCheckOneOf(t *testing.T) {
	if err := engines.CheckOneOf("level", "", "", "low"); err != nil {
		t.Error(err)
	}
	err := engines.CheckOneOf("level", "high", "", "low")
	if errs.ReasonOf(err) != errs.InvalidRequest || !strings.Contains(err.Error(), `"level" must be one of "", "low", not "high"`) {
		t.Errorf("the error is %v", err)
	}
	if got := errs.From(err).Metadata()["parameter"]; got != "level" {
		t.Errorf("the error names the parameter %q", got)
	}
}

func TestCheckRange(t *testing.T) {
	for _, inside := range []float64{0, 0.5, 1} {
		if err := engines.CheckRange("scale", inside, 0, 1); err != nil {
			t.Errorf("%v: %v", inside, err)
		}
	}
	for _, outside := range []float64{-0.1, 1.5, math.NaN(), math.Inf(1)} {
		if err := engines.CheckRange("scale", outside, 0, 1); errs.ReasonOf(err) != errs.InvalidRequest {
			t.Errorf("%v: %v", outside, err)
		}
	}
	err := engines.CheckRange("n_ctx", 1<<23, 256, 1<<22)
	if err == nil || !strings.Contains(err.Error(), `"n_ctx" must be from 256 to 4194304, not 8388608`) {
		t.Errorf("the error is %v", err)
	}
	if got := errs.From(err).Metadata()["parameter"]; got != "n_ctx" {
		t.Errorf("the error names the parameter %q", got)
	}
}
