package jsongrammar_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/jsongrammar"
	"github.com/lexilingo/modelgateway/engines/jsongrammar/schematest"
)

func TestRandomSchemas(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	accepted, reasons := 0, map[string]int{}
	for range 2000 {
		schema := schematest.Random(random)
		grammar, err := jsongrammar.Schema(schema, "x")
		if err != nil {
			checkRefusal(t, schema, err)
			reasons[keyword(err)]++
			continue
		}
		accepted++
		checkGrammar(t, schema, grammar, random, 5)
	}
	t.Logf("%d accepted; refused by keyword: %v", accepted, reasons)
	if accepted < 1500 {
		t.Errorf("only %d of 2000 schemas are accepted", accepted)
	}
}

func keyword(err error) string {
	var typed *errs.Error
	if !errors.As(err, &typed) {
		return ""
	}
	if k := typed.Metadata()["keyword"]; k != "" {
		return k
	}
	return typed.Error()
}

func FuzzSchema(f *testing.F) {
	for _, schema := range supported {
		f.Add(schema, uint64(1))
	}
	f.Fuzz(func(t *testing.T, schema string, seed uint64) {
		start := time.Now()
		grammar, err := jsongrammar.Schema(schema, "x")
		if took := time.Since(start); took > 5*time.Second {
			t.Fatal(took)
		}
		if err != nil {
			checkRefusal(t, schema, err)
			return
		}
		g := parseGBNF(t, grammar)
		text := g.write(rand.New(rand.NewPCG(seed, 0)))
		if !json.Valid([]byte(text)) {
			t.Fatalf("%s allows %s", schema, text)
		}
	})
}

// hostile are schemas that are refused because of their size, or because what is made
// of them would be too large.
func hostile() map[string]string {
	nested := func(n int, before, after string) string {
		return strings.Repeat(before, n) + `{"type":"null"}` + strings.Repeat(after, n)
	}
	many := func(n int, part func(i int) string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = part(i)
		}
		return strings.Join(parts, ",")
	}
	doubled := func(keyword string) string {
		return `{"$defs":{` + many(40, func(i int) string {
			return fmt.Sprintf(`"d%d":{"%s":[{"$ref":"#/$defs/d%d"},{"type":"array","items":{"$ref":"#/$defs/d%d"}}]}`, i, keyword, i+1, i+1)
		}) + `,"d40":{"type":"string"}},"$ref":"#/$defs/d0"}`
	}
	return map[string]string{
		"deep": nested(5_000, `{"items":`, `}`),
		"long numbers": `{"$defs":{"x":{"enum":[` + many(4_700, func(int) string { return "1e-999" }) + `]}},"oneOf":[` + many(34, func(i int) string {
			return fmt.Sprintf(`{"$ref":"#/$defs/x","const":%d}`, i)
		}) + `]}`,
		"deep, too":  nested(60, `{"anyOf":[`, `]}`),
		"wide":       `{"enum":[` + many(20_000, func(i int) string { return fmt.Sprint(i) }) + `]}`,
		"long words": `{"enum":[` + many(9_000, func(i int) string { return fmt.Sprintf(`"%d and more"`, i*7919) }) + `]}`,
		"properties": `{"properties":{` + many(4_900, func(i int) string { return fmt.Sprintf(`"p%d":{}`, i) }) + `},"additionalProperties":true}`,
		"choices": `{"allOf":[` + many(30, func(i int) string {
			return fmt.Sprintf(`{"anyOf":[{"properties":{"a%d":{}}},{"properties":{"b%d":{}}}]}`, i, i)
		}) + `]}`,
		"distinct":           `{"oneOf":[` + many(900, func(i int) string { return fmt.Sprintf(`{"properties":{"k":{"const":%d}},"required":["k"]}`, i) }) + `]}`,
		"distinct, doubled":  doubled("oneOf"),
		"pattern, states":    `{"type":"string","pattern":"a.{25}$"}`,
		"pattern, counts":    `{"type":"string","pattern":"^((a{1,30}){1,30})$"}`,
		"pattern, nested":    `{"type":"string","pattern":"` + strings.Repeat("(", 400) + "a" + strings.Repeat(")*", 400) + `"}`,
		"pattern, long":      `{"type":"string","pattern":"` + strings.Repeat("(a|b)?", 2_000) + `"}`,
		"patterns":           `{"allOf":[` + many(100, func(i int) string { return fmt.Sprintf(`{"pattern":"a.{%d}b"}`, i%9) }) + `]}`,
		"length of a format": `{"type":"string","format":"uri","minLength":900,"maxLength":999}`,
		"items":              `{"type":"array","prefixItems":[` + many(3_000, func(int) string { return `{"type":"array","minItems":1000,"items":{}}` }) + `]}`,
		"many lists": `{"properties":{` + many(900, func(i int) string {
			return fmt.Sprintf(`"p%d":{"type":"array","maxItems":1000,"items":{"maxLength":%d}}`, i, i)
		}) + `}}`,
		"numbers": `{"properties":{` + many(2_000, func(i int) string {
			return fmt.Sprintf(`"p%d":{"minimum":%d.123456789012345,"maximum":%d.5}`, i, i, i*77777)
		}) + `}}`,
		"a long number": `{"minimum":1e999999999}`,
		"definitions":   doubled("anyOf"),
		"loop":          `{"$ref":"#"}`,
		"loop of two":   `{"$defs":{"a":{"allOf":[{"$ref":"#/$defs/b"}]},"b":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/a"}]}},"$ref":"#/$defs/a"}`,
		"endless":       `{"type":"object","properties":{"next":{"$ref":"#"}},"required":["next"]}`,
		"growing sets":  `{"type":"object","properties":{"a":{"allOf":[{"$ref":"#"},{"properties":{"b":{"allOf":[{"$ref":"#"},{"$ref":"#/properties/a"}]}}}]}},"required":["a"]}`,
		"nothing":       `false`,
		"not JSON":      `{"type":`,
		"twice":         `{"type":"string","type":"number"}`,
		"two documents": `{} {}`,
		"binary":        "\"\xff\"",
		"a list":        `[]`,
	}
}

// Bounds are counts, so that a refusal does not depend on the machine; the time is only
// printed.
func TestHostileSchemasAreRefused(t *testing.T) {
	for name, schema := range hostile() {
		start := time.Now()
		_, err := jsongrammar.Schema(schema, "response_format.json_schema")
		took := time.Since(start)
		if err == nil {
			t.Errorf("%s is accepted", name)
			continue
		}
		checkRefusal(t, name, err)
		if strings.Contains(err.Error(), "\n") || len(err.Error()) > 600 {
			t.Errorf("%s: the message is too long: %v", name, err)
		}
		t.Logf("%s: %v: %.150s", name, took.Round(time.Microsecond), err)
	}
}

// What a schema cannot have is refused by its name and its place.
func TestRefusedKeywords(t *testing.T) {
	for schema, want := range map[string]string{
		`{"properties":{"a":{"not":{"type":"null"}}}}`:                                  "not at #/properties/a/not",
		`{"items":{"type":"array","uniqueItems":true}}`:                                 "uniqueItems at #/items/uniqueItems",
		`{"$defs":{"x/y":{"multipleOf":7}},"$ref":"#/$defs/x~1y"}`:                      "multipleOf at #/$defs/x~1y/multipleOf",
		`{"if":{"type":"null"},"then":{"const":null}}`:                                  "if at #/if",
		`{"patternProperties":{"^x":{}}}`:                                               "patternProperties at #/patternProperties",
		`{"type":"string","pattern":"^(?=a)"}`:                                          "pattern at #/pattern",
		`{"type":"string","pattern":"\\bword"}`:                                         "pattern at #/pattern",
		`{"type":"string","pattern":"(a)\\1"}`:                                          "pattern at #/pattern",
		`{"type":"string","pattern":"\\p{L}"}`:                                          "pattern at #/pattern",
		`{"type":"string","pattern":"("}`:                                               "pattern at #/pattern",
		`{"type":"string","format":"regex"}`:                                            "format at #/format",
		`{"anyOf":[{"$ref":"https://example.com/x"}]}`:                                  "$ref at #/anyOf/0/$ref",
		`{"$ref":"#/$defs/none"}`:                                                       "$ref at #/$ref",
		`{"oneOf":[{"type":"integer"},{"type":"number"}]}`:                              "oneOf at #/oneOf",
		`{"oneOf":[{"properties":{"k":{"const":1}}},{"properties":{"k":{"const":2}}}]}`: "oneOf at #/oneOf",
		`{"minProperties":2}`:                                                           "minProperties at #/minProperties",
		`{"type":"text"}`:                                                               "type at #/type",
		`{"minLength":-1}`:                                                              "minLength at #/minLength",
		`{"required":"a"}`:                                                              "required at #/required",
		`{"allOf":[]}`:                                                                  "allOf at #/allOf",
	} {
		_, err := jsongrammar.Schema(schema, "x")
		var typed *errs.Error
		if !errors.As(err, &typed) {
			t.Errorf("%s: %v", schema, err)
			continue
		}
		if got := typed.Metadata()["keyword"] + " at " + typed.Metadata()["pointer"]; got != want {
			t.Errorf("%s: %s; want %s", schema, got, want)
		}
	}
}
