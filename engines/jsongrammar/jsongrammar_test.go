package jsongrammar_test

import (
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/jsongrammar"
	"github.com/lexilingo/modelgateway/engines/jsongrammar/schematest"
)

// checkGrammar writes texts with a schema's grammar and validates them.
func checkGrammar(t *testing.T, schema, grammar string, random *rand.Rand, texts int) {
	t.Helper()
	validate, err := schematest.Validator(schema)
	if err != nil {
		t.Fatalf("%v, of the schema %s", err, schema)
	}
	g := parseGBNF(t, grammar)
	for range texts {
		text := g.write(random)
		if err := validate(text); err != nil {
			t.Fatalf("the schema %s\nallows %s\n%v\ngrammar:\n%s", schema, text, err, grammar)
		}
	}
}

func TestGrammarsAllowOnlyValidTexts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	all := supportedFormats()
	maps.Copy(all, supported)
	for name, schema := range all {
		t.Run(name, func(t *testing.T) {
			grammar, err := jsongrammar.Schema(schema, "response_format")
			if err != nil {
				t.Fatal(err)
			}
			checkGrammar(t, schema, grammar, random, 20)
		})
	}
}

func TestTextsOfGrammars(t *testing.T) {
	for _, c := range []struct {
		schema  string
		yes, no []string
	}{
		{`{"type":"object","properties":{"b":{"type":"integer"},"a":{"type":"string"}},"required":["b"]}`,
			[]string{`{"b":1}`, `{"b": 1, "a": "x"}`}, []string{`{}`, `{"a":"x","b":1}`, `{"b":1,"c":2}`, `{"b":1.5}`, `{"b":1,}`}},
		{`{"type":"integer","minimum":-5,"exclusiveMaximum":120}`,
			[]string{"-5", "0", "7", "99", "119"}, []string{"-6", "120", "007", "1.0", ""}},
		{`{"type":"number","minimum":0.25,"maximum":1}`,
			[]string{"0.25", "0.3", "0.99", "1"}, []string{"0.2", "0", "1.1", "-0.5", "0.249"}},
		{`{"type":"number","exclusiveMinimum":-1.5,"maximum":0}`,
			[]string{"-1.49", "-1", "-0.001", "0"}, []string{"-1.5", "-1.6", "0.1", "1"}},
		{`{"type":"string","minLength":2,"maxLength":70}`,
			[]string{`"ab"`, `"` + strings.Repeat("é", 70) + `"`, `"\n\""`}, []string{`"a"`, `"` + strings.Repeat("a", 71) + `"`}},
		{`{"type":"string","pattern":"^[a-z]+$","maxLength":3}`,
			[]string{`"a"`, `"abc"`}, []string{`""`, `"abcd"`, `"A"`}},
		{`{"type":"string","pattern":"^[Đđ][Kk]a?$"}`, []string{`"Đk"`, `"đKa"`, `"đk"`}, []string{`"dk"`, `"Đ"`}},
		{`{"type":"string","pattern":"b"}`, []string{`"abc"`, `"b"`}, []string{`"ac"`}},
		{`{"enum":["red","reddish",1,null]}`, []string{`"red"`, `"reddish"`, "1", "null"}, []string{`"re"`, `"reds"`, "2"}},
		{`{"type":"array","items":{"type":"boolean"},"minItems":1,"maxItems":2}`,
			[]string{"[true]", "[true, false]"}, []string{"[]", "[true,true,true]", "[1]"}},
		{`{"type":"object","properties":{"a":{"type":"null"}},"additionalProperties":{"type":"integer"}}`,
			[]string{`{"a":null,"b":1}`, `{"ab":2,"": 3}`, `{}`}, []string{`{"a":1}`, `{"b":"x"}`}},
		{`{"type":"object","properties":{"children":{"type":"array","items":{"$ref":"#"}}}}`,
			[]string{`{"children":[{"children":[]}, {}]}`}, []string{`{"children":[1]}`}},
		{`{"type":"string","format":"date"}`, []string{`"2026-11-30"`}, []string{`"2026-02-30"`, `"26-11-30"`}},
	} {
		grammar, err := jsongrammar.Schema(c.schema, "x")
		if err != nil {
			t.Fatal(err)
		}
		g := parseGBNF(t, grammar)
		for _, text := range c.yes {
			if !g.matches(text) {
				t.Errorf("%s does not allow %s", c.schema, text)
			}
		}
		for _, text := range c.no {
			if g.matches(text) {
				t.Errorf("%s allows %s", c.schema, text)
			}
		}
	}
}

// Arguments without properties are empty, and those that another part of the schema
// describes are not.
func TestArguments(t *testing.T) {
	for schema, want := range map[string]map[string]bool{
		"":                                  {"{}": true, `{"a":1}`: false},
		`{"type":"object"}`:                 {"{}": true, `{"a":1}`: false},
		`{"type":"object","properties":{}}`: {"{}": true, `{"a":1}`: false},
		`{"type":"object","properties":{},"additionalProperties":true}`:                                               {"{}": true, `{"a":1}`: true},
		`{"type":"object","$ref":"#/$defs/a","$defs":{"a":{"properties":{"a":{"type":"integer"}},"required":["a"]}}}`: {"{}": false, `{"a":1}`: true},
		`{"type":"object","anyOf":[{"properties":{"a":{"type":"integer"}},"required":["a"]}]}`:                        {"{}": false, `{"a":1}`: true},
	} {
		b := jsongrammar.NewBuilder()
		r, err := b.Arguments(schema, "parameters")
		if err != nil {
			t.Errorf("%s: %v", schema, err)
			continue
		}
		grammar, err := b.Grammar(r, "parameters")
		if err != nil {
			t.Fatal(err)
		}
		g := parseGBNF(t, grammar)
		for text, ok := range want {
			if g.matches(text) != ok {
				t.Errorf("%s allows %s: %v", schema, text, !ok)
			}
		}
	}
}

// The suite of the JSON Schema project: a grammar allows none of the invalid instances,
// and what it allows is valid. Schemas are refused only by the name of a keyword.
func TestPublishedSuite(t *testing.T) {
	files, err := filepath.Glob("testdata/suite/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("the suite is missing: ", err)
	}
	formats, _ := filepath.Glob("testdata/suite/format/*.json")
	random := rand.New(rand.NewPCG(3, 4))
	var accepted, refused, valid, missed int
	for _, file := range append(files, formats...) {
		var groups []struct {
			Description string
			Schema      json.RawMessage
			Tests       []struct {
				Description string
				Data        json.RawMessage
				Valid       bool
			}
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(content, &groups); err != nil {
			t.Fatal(err)
		}
		for _, group := range groups {
			grammar, err := jsongrammar.Schema(string(group.Schema), "x")
			if err != nil {
				refused++
				checkRefusal(t, file+": "+group.Description, err)
				continue
			}
			accepted++
			checkGrammar(t, string(group.Schema), grammar, random, 20)
			g := parseGBNF(t, grammar)
			for _, test := range group.Tests {
				var v any
				if err := json.Unmarshal(test.Data, &v); err != nil {
					t.Fatal(err)
				}
				matches := g.matches(string(test.Data)) || g.matches(compact(t, test.Data))
				switch {
				case matches && !test.Valid:
					t.Errorf("%s: %s: %s: the grammar allows %s", filepath.Base(file), group.Description, test.Description, test.Data)
				case test.Valid && matches:
					valid++
				case test.Valid:
					missed++
				}
			}
		}
	}
	t.Logf("%d schemas accepted, %d refused; of the valid instances %d are allowed, %d are not", accepted, refused, valid, missed)
	if accepted < 140 || valid < 220 {
		t.Error("too many schemas are refused, or too few instances allowed")
	}
}

func compact(t *testing.T, text []byte) string {
	t.Helper()
	v := json.RawMessage(text)
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func checkRefusal(t *testing.T, schema string, err error) {
	t.Helper()
	var typed *errs.Error
	if !errors.As(err, &typed) || errs.ReasonOf(err) != errs.InvalidRequest {
		t.Errorf("%s: %v", schema, err)
	}
}

// supported are schemas as programs send them.
var supported = map[string]string{
	"person": `{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer","minimum":0,"maximum":150},
		"email":{"type":"string","format":"email"},"tags":{"type":"array","items":{"type":"string"},"maxItems":5}},"required":["name","age"],"additionalProperties":false}`,
	"pydantic": `{"$defs":{"Step":{"properties":{"explanation":{"title":"Explanation","type":"string"},"output":{"type":"string","default":""}},"required":["explanation"],"title":"Step","type":"object"}},
		"properties":{"steps":{"items":{"$ref":"#/$defs/Step"},"type":"array"},"answer":{"anyOf":[{"type":"number"},{"type":"null"}],"default":null}},"required":["steps"],"type":"object"}`,
	"tree":     `{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"value":{"type":"number"},"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},"required":["value","next"]}}}`,
	"tagged":   `{"oneOf":[{"type":"object","properties":{"kind":{"const":"a"},"x":{"type":"integer"}},"required":["kind","x"]},{"type":"object","properties":{"kind":{"const":"b"},"y":{"type":"string","maxLength":9}},"required":["kind"]}]}`,
	"merged":   `{"allOf":[{"type":"object","properties":{"a":{"type":"integer","minimum":3}},"required":["a"]},{"properties":{"a":{"maximum":9},"b":{"enum":["x","y"]}},"required":["b"]}]}`,
	"map":      `{"type":"object","additionalProperties":{"type":"array","prefixItems":[{"type":"integer"},{"type":"string","pattern":"^\\d{3}-\\d{4}$"}],"items":false}}`,
	"map, few": `{"type":"object","additionalProperties":{"type":"null"},"maxProperties":2}`,
	"map, one": `{"type":"object","additionalProperties":{"type":"null"},"maxProperties":1}`,
	"others":   `{"type":"object","properties":{"id":{"type":"integer"},"idx":{"type":"boolean"}},"required":["id","extra"],"additionalProperties":{"type":"string"}}`,
	"expression": `{"$defs":{"e":{"anyOf":[{"type":"object","properties":{"op":{"const":"add"},"l":{"$ref":"#/$defs/e"},"r":{"$ref":"#/$defs/e"}},"required":["op","l","r"]},
		{"type":"object","properties":{"op":{"enum":["int","float"]},"v":{"type":"number"}},"required":["op","v"]},{"type":"null"}]}},"$ref":"#/$defs/e"}`,
	"any":         `{}`,
	"all types":   `{"type":["null","boolean","integer","string","array","object"]}`,
	"fractions":   `{"type":"array","items":{"type":"number","exclusiveMinimum":-12.0625,"exclusiveMaximum":3.5},"minItems":8}`,
	"small range": `{"type":"array","items":{"type":"number","exclusiveMinimum":0.1234,"maximum":0.1299},"minItems":8}`,
	"same digits": `{"type":"array","items":{"type":"number","minimum":1.5,"maximum":1.5},"minItems":2}`,
	"tiny":        `{"type":"array","items":{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":0.001},"minItems":8}`,
	"large":       `{"type":"array","items":{"type":"integer","minimum":995,"maximum":123456},"minItems":8}`,
	"below":       `{"type":"array","items":{"type":"integer","exclusiveMaximum":-17},"minItems":8}`,
	"no limit":    `{"type":"number","maximum":1.7976931348623157e308,"minimum":-1e400}`,
	"lengths":     `{"type":"array","items":{"type":"string","minLength":3,"maxLength":200},"minItems":3}`,
	"long":        `{"type":"string","minLength":130,"maxLength":5000}`,
	"class":       `{"type":"string","pattern":"^[^\\d\"]\\S.\\s\\x41\\/$"}`,
}

// supportedFormats returns a schema for each format.
func supportedFormats() map[string]string {
	out := map[string]string{}
	for _, format := range []string{"date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "uri", "uri-reference", "uuid", "json-pointer"} {
		out["format "+format] = `{"type":"string","format":"` + format + `","minLength":1}`
	}
	return out
}
