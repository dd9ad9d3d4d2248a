package jsongrammar

import (
	"math"
	"math/big"
	"net/url"
	"strconv"
	"strings"
)

// refused are the keywords that a grammar cannot hold, with what to do instead.
var refused = map[string]string{
	"not":                   "cannot be enforced: describe what is allowed instead",
	"if":                    "cannot be enforced: use anyOf with one branch for each case",
	"dependentRequired":     "cannot be enforced: use anyOf with one branch for each case",
	"dependentSchemas":      "cannot be enforced: use anyOf with one branch for each case",
	"dependencies":          "cannot be enforced: use anyOf with one branch for each case",
	"patternProperties":     "cannot be enforced: use properties or additionalProperties",
	"propertyNames":         "cannot be enforced: use properties or additionalProperties",
	"unevaluatedProperties": "cannot be enforced: use additionalProperties",
	"unevaluatedItems":      "cannot be enforced: use items",
	"additionalItems":       "cannot be enforced: use prefixItems and items",
	"contains":              "cannot be enforced: use items, or prefixItems",
	"multipleOf":            "cannot be enforced: use the type integer, or an enum",
	"$dynamicRef":           "cannot be followed: use $ref",
	"$recursiveRef":         "cannot be followed: use $ref",
}

// check refuses a schema with keywords that a grammar cannot hold.
func (c *compiler) check(schema *value) {
	for _, name := range schema.names {
		v := schema.members[name]
		if hint, bad := refused[name]; bad && !vacuous(name, v, schema) {
			refuseKeyword(schema, name, "%s", hint)
		}
		switch {
		case name == "uniqueItems" && v.kind == boolean && v.is:
			refuseKeyword(schema, name, "cannot be enforced: leave it out, and remove what is there twice")
		case name == "$id" && schema.parent != nil:
			refuseKeyword(schema, name, "is supported only at the root of a schema: leave it out")
		}
	}
	c.checkLoop(schema)
}

// vacuous reports whether a keyword with this value demands nothing.
func vacuous(name string, v, schema *value) bool {
	switch name {
	case "if":
		return schema.get("then") == nil && schema.get("else") == nil
	case "patternProperties", "dependentRequired", "dependentSchemas", "dependencies":
		return v.kind == object && len(v.names) == 0
	case "propertyNames", "unevaluatedProperties", "unevaluatedItems", "additionalItems":
		return v.kind == boolean && v.is || v.kind == object && len(v.names) == 0
	case "multipleOf":
		// Whole numbers are multiples of 1.
		return v.kind == number && v.number().Cmp(big.NewRat(1, 1)) == 0 && integral(schema)
	}
	return false
}

func integral(schema *value) bool {
	t := schema.get("type")
	return t != nil && t.kind == text && t.text == "integer"
}

// checkLoop refuses schemas that refer to themselves for the same value, such as
// {"$ref": "#"}. Those that do so for a part of the value are trees, and fine.
func (c *compiler) checkLoop(schema *value) {
	switch c.loops[schema] {
	case loopFree:
		return
	case inProgress:
		refuseKeyword(schema, "$ref", "leads back to the same schema: a value of it never ends")
	}
	c.rules.spend(1)
	c.loops[schema] = inProgress
	if schema.kind == object {
		if ref := schema.get("$ref"); ref != nil {
			c.checkLoop(c.resolve(schema, ref))
		}
		for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
			if schema.get(keyword) == nil {
				continue
			}
			for _, branch := range schemas(schema, keyword) {
				c.checkLoop(branch)
			}
		}
	}
	c.loops[schema] = loopFree
}

// The states of checkLoop.
const (
	inProgress = 1
	loopFree   = 2
)

// resolve returns the schema that a $ref refers to.
func (c *compiler) resolve(schema, ref *value) *value {
	if ref.kind != text || !strings.HasPrefix(ref.text, "#") {
		refuseKeyword(schema, "$ref", "must begin with %q: only definitions in the schema itself can be used", "#/")
	}
	path, err := url.PathUnescape(ref.text[1:])
	if err != nil || path != "" && !strings.HasPrefix(path, "/") {
		refuseKeyword(schema, "$ref", "must be a JSON pointer such as %q", "#/$defs/name")
	}
	at := c.root
	if path != "" {
		for step := range strings.SplitSeq(path[1:], "/") {
			c.rules.spend(1)
			at = at.step(strings.NewReplacer("~1", "/", "~0", "~").Replace(step))
			if at == nil {
				refuseKeyword(schema, "$ref", "refers to %q, which does not exist", shorten(ref.text))
			}
		}
	}
	checkSchema(at)
	return at
}

// step returns a part of a value, or nil.
func (v *value) step(name string) *value {
	if v.kind != list {
		return v.get(name)
	}
	if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(v.items) {
		return v.items[i]
	}
	return nil
}

// checkSchema refuses values that are not schemas.
func checkSchema(v *value) {
	if v.kind != object && v.kind != boolean {
		refuse("a schema must be an object or a boolean, which the value at %s is not", shorten(v.pointer()))
	}
}

// schemas returns the list of schemas that a keyword has.
func schemas(schema *value, keyword string) []*value {
	v := schema.get(keyword)
	if v.kind != list || len(v.items) == 0 {
		refuseKeyword(schema, keyword, "must be a list of schemas")
	}
	for _, item := range v.items {
		checkSchema(item)
	}
	return v.items
}

func typesOf(schema, v *value) types {
	names := []*value{v}
	if v.kind == list {
		names = v.items
	}
	var out types
	for _, n := range names {
		t, ok := typeNames[n.text]
		if n.kind != text || !ok {
			refuseKeyword(schema, "type", "must be null, boolean, integer, number, string, array or object, or a list of them")
		}
		out |= t
	}
	return out
}

func stringsOf(schema *value, keyword string) []string {
	v := schema.get(keyword)
	if v.kind != list {
		refuseKeyword(schema, keyword, "must be a list of strings")
	}
	out := make([]string, len(v.items))
	for i, item := range v.items {
		if item.kind != text {
			refuseKeyword(schema, keyword, "must be a list of strings")
		}
		out[i] = item.text
	}
	return out
}

// countOf returns the value of a keyword that counts something.
func countOf(schema *value, keyword string) int {
	v := schema.get(keyword)
	if v.kind == number {
		if n := v.number(); n.IsInt() && n.Sign() >= 0 {
			if !n.Num().IsInt64() || n.Num().Int64() > math.MaxInt32 {
				return math.MaxInt32
			}
			return int(n.Num().Int64())
		}
	}
	refuseKeyword(schema, keyword, "must be a whole number of at least 0")
	return 0
}

func numberOf(schema *value, keyword string) *big.Rat {
	v := schema.get(keyword)
	if v.kind != number {
		refuseKeyword(schema, keyword, "must be a number")
	}
	return v.number()
}
