// Package schematest has random JSON Schemas for tests, and a validator for texts.
package schematest

import (
	"encoding/json"
	"math/rand/v2"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Validator returns a function that validates JSON text against a schema.
func Validator(schema string) (func(text string) error, error) {
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("schema.json", document); err != nil {
		return nil, err
	}
	compiled, err := c.Compile("schema.json")
	if err != nil {
		return nil, err
	}
	return func(text string) error {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			return err
		}
		return compiled.Validate(v)
	}, nil
}

// generator makes random schemas of the keywords that are supported, and a few of those
// that are not.
type generator struct{ *rand.Rand }

func (g generator) schema(depth int) map[string]any {
	s := map[string]any{}
	if g.IntN(8) == 0 {
		s["description"] = "x"
	}
	if depth <= 0 {
		return g.scalar(s)
	}
	switch g.IntN(9) {
	case 0, 1, 2:
		return g.object(s, depth)
	case 3:
		s["type"] = "array"
		s["items"] = g.schema(depth - 1)
		g.counts(s, "minItems", "maxItems", 4)
		if g.IntN(3) == 0 {
			s["prefixItems"] = []any{g.schema(depth - 1), g.schema(0)}
		}
	case 4:
		s["anyOf"] = []any{g.schema(depth - 1), g.schema(depth - 1), g.scalar(map[string]any{})}
	case 5:
		s["oneOf"] = []any{
			g.tagged(depth, "a"), g.tagged(depth, "b"), map[string]any{"type": []any{"null", "string"}},
		}
	case 6:
		s["allOf"] = []any{g.object(map[string]any{}, depth-1), g.object(map[string]any{}, depth-1)}
	case 7:
		s["$ref"] = "#/$defs/" + string(rune('a'+g.IntN(3)))
	default:
		return g.scalar(s)
	}
	return s
}

func (g generator) tagged(depth int, tag string) map[string]any {
	s := g.object(map[string]any{}, depth)
	s["properties"].(map[string]any)["kind"] = map[string]any{"const": tag}
	s["required"] = append(s["required"].([]any), "kind")
	return s
}

func (g generator) object(s map[string]any, depth int) map[string]any {
	s["type"] = "object"
	properties, required := map[string]any{}, []any{}
	for range g.IntN(4) {
		name := []string{"a", "ab", "b", "long name", `q"\`, "ü"}[g.IntN(6)]
		properties[name] = g.schema(depth - 1)
		if g.IntN(2) == 0 {
			required = append(required, name)
		}
	}
	s["properties"] = properties
	s["required"] = unique(required)
	switch g.IntN(4) {
	case 0:
		s["additionalProperties"] = false
	case 1:
		s["additionalProperties"] = g.schema(0)
	}
	return s
}

func unique(list []any) []any {
	out, seen := []any{}, map[any]bool{}
	for _, v := range list {
		if !seen[v] {
			out = append(out, v)
		}
		seen[v] = true
	}
	return out
}

func (g generator) scalar(s map[string]any) map[string]any {
	switch g.IntN(9) {
	case 0:
		s["type"] = "boolean"
	case 1:
		s["type"] = []string{"integer", "number"}[g.IntN(2)]
	case 2, 3:
		s["type"] = []string{"integer", "number"}[g.IntN(2)]
		low := float64(g.IntN(4000)-2000) / []float64{1, 10, 16, 1000}[g.IntN(4)]
		s[[]string{"minimum", "exclusiveMinimum"}[g.IntN(2)]] = low
		if g.IntN(2) == 0 {
			s[[]string{"maximum", "exclusiveMaximum"}[g.IntN(2)]] = low + float64(g.IntN(2000))/[]float64{1, 8, 1000}[g.IntN(3)]
		}
	case 4:
		s["enum"] = []any{"red", "reddish", 7, nil, true, "ü\n", 1.5}[g.IntN(3) : 3+g.IntN(4)]
	case 5:
		s["type"] = "string"
		g.counts(s, "minLength", "maxLength", 150)
	case 6:
		s["type"] = "string"
		s["pattern"] = []string{"^[a-z]{2,5}$", "b+", `^(\d{3}|x*)-y?$`, "^a|z$", `\.$`, `^[^"\\]*$`, "(ab|cd)*e"}[g.IntN(7)]
		if g.IntN(3) == 0 {
			s["maxLength"] = 8
		}
	case 7:
		s["type"] = "string"
		s["format"] = []string{"date", "time", "date-time", "uuid", "email", "ipv4", "hostname", "uri", "duration"}[g.IntN(9)]
	default:
		s["type"] = "null"
	}
	return s
}

func (g generator) counts(s map[string]any, low, high string, most int) {
	n := g.IntN(most)
	if g.IntN(2) == 0 {
		s[low] = n
	}
	if g.IntN(2) == 0 {
		s[high] = n + g.IntN(most)
	}
}

// Random returns a random schema as text, with definitions that may refer to each other.
func Random(random *rand.Rand) string {
	g := generator{random}
	s := g.schema(3)
	s["$defs"] = map[string]any{"a": g.schema(2), "b": g.schema(1), "c": g.scalar(map[string]any{})}
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // it is JSON by construction
	}
	return string(text)
}
