package gemini

// schemaKeywords are the keywords of JSON Schema that the API enforces. The names below
// "properties" and "$defs" are not keywords.
var schemaKeywords = map[string]bool{
	"$id": true, "$defs": true, "$ref": true, "$anchor": true, "type": true, "format": true, "title": true, "description": true,
	"enum": true, "items": true, "prefixItems": true, "minItems": true, "maxItems": true, "minimum": true, "maximum": true,
	"anyOf": true, "oneOf": true, "properties": true, "additionalProperties": true, "required": true,
}

// enforced returns a schema with the keywords that the API enforces. It writes const and
// the exclusive limits as what the API has for them; of the others it must be said that
// the answer only probably follows them (docs/cloud-fallback.md).
func enforced(schema map[string]any) map[string]any {
	out := map[string]any{}
	for name, v := range schema {
		switch {
		case name == "const":
			out["enum"] = []any{v}
		case name == "exclusiveMinimum" && schema["minimum"] == nil:
			out["minimum"] = v
		case name == "exclusiveMaximum" && schema["maximum"] == nil:
			out["maximum"] = v
		case !schemaKeywords[name]:
		case name == "properties" || name == "$defs":
			named, _ := v.(map[string]any)
			parts := map[string]any{}
			for key, part := range named {
				parts[key] = enforcedValue(part)
			}
			out[name] = parts
		case name == "enum":
			out[name] = v
		default:
			out[name] = enforcedValue(v)
		}
	}
	return out
}

func enforcedValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return enforced(v)
	case []any:
		out := make([]any, len(v))
		for i, part := range v {
			out[i] = enforcedValue(part)
		}
		return out
	default:
		return v
	}
}
