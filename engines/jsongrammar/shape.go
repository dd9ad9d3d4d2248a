package jsongrammar

import (
	"math/big"
	"slices"
	"strings"
)

// types is a set of types. JSON Schema's "number" is both: numbers with and without a
// fraction.
type types uint8

const (
	typeNull types = 1 << iota
	typeBoolean
	typeInteger
	typeFraction
	typeString
	typeArray
	typeObject

	typeNumber = typeInteger | typeFraction
	allTypes   = typeNull | typeBoolean | typeNumber | typeString | typeArray | typeObject
)

var typeNames = map[string]types{
	"null": typeNull, "boolean": typeBoolean, "integer": typeInteger, "number": typeNumber,
	"string": typeString, "array": typeArray, "object": typeObject,
}

// all is a set of schemas that a value must be valid for, in order. taken says which
// branches of their anyOf and oneOf are already in the set.
type all struct {
	schemas []*value
	taken   []*value
}

// and returns the set with more schemas. It has no schema twice.
func (a all) and(schemas ...*value) all {
	out := slices.Clip(a.schemas)
	for _, s := range schemas {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return all{out, a.taken}
}

// key identifies a set.
func (a all) key() string {
	ids := func(list []*value) string {
		numbers := make([]int, len(list))
		for i, v := range list {
			numbers[i] = v.id
		}
		slices.Sort(numbers)
		var b strings.Builder
		for _, n := range slices.Compact(numbers) {
			b.WriteString(itoa(n) + " ")
		}
		return b.String()
	}
	return ids(a.schemas) + "/" + ids(a.taken)
}

// limit is the end of a range of numbers.
type limit struct {
	at     *big.Rat // nil: there is none
	strict bool     // at itself is outside
}

// count is the end of a range of lengths; negative is none.
const noCount = -1

// shape is what a set of schemas demands of a value.
type shape struct {
	// types are the types of the values that the rules make; valid are those that are
	// allowed, which are more if the schemas have no "type".
	types, valid types
	only         []*value // of enum and const
	enum         bool     // only is set

	low, high limit

	shortest, longest int
	patterns          []*value // values of "pattern"
	formats           []*value

	parts         []*value // schemas with properties or additionalProperties
	names         []string // of their properties, in order
	named         map[string]bool
	required      []string
	needed        map[string]bool // those of required
	minNamed      *value          // the schema that has minProperties
	maxProperties int

	lists        []*value // schemas with prefixItems or items
	fewest, most int
	// choices are the lists of anyOf and oneOf that are not taken yet.
	choices []choice

	hints types // the types that the keywords are about
}

// choice is an anyOf or oneOf.
type choice struct {
	keyword  string
	in       *value
	branches []*value
}

// shape returns what the schemas demand together.
func (c *compiler) shape(a all) *shape {
	s := &shape{types: allTypes, longest: noCount, most: noCount, maxProperties: noCount, named: map[string]bool{}, needed: map[string]bool{}}
	seen := map[*value]bool{}
	for _, schema := range a.schemas {
		c.visit(s, schema, a, seen)
	}
	s.valid = s.types
	c.filterOnly(s)
	if s.types == allTypes && !s.enum && s.hints != 0 {
		s.types = s.hints
	}
	return s
}

// visit adds a schema to a shape, and those that it refers to.
func (c *compiler) visit(s *shape, schema *value, a all, seen map[*value]bool) {
	c.rules.spend(1)
	if seen[schema] {
		return
	}
	seen[schema] = true
	if schema.kind == boolean {
		if !schema.is {
			s.types = 0
		}
		return
	}
	c.check(schema)
	if ref := schema.get("$ref"); ref != nil {
		c.visit(s, c.resolve(schema, ref), a, seen)
	}
	for _, name := range schema.names {
		c.rules.spend(5)
		c.keyword(s, name, schema.members[name], schema)
	}
	if list := schema.get("allOf"); list != nil {
		for _, branch := range schemas(schema, "allOf") {
			c.visit(s, branch, a, seen)
		}
	}
	for _, keyword := range []string{"anyOf", "oneOf"} {
		if list := schema.get(keyword); list != nil && !slices.Contains(a.taken, list) {
			s.choices = append(s.choices, choice{keyword, schema, schemas(schema, keyword)})
		}
	}
}

// keyword adds what one keyword of a schema demands.
func (c *compiler) keyword(s *shape, name string, v, schema *value) {
	switch name {
	case "type":
		s.types &= typesOf(schema, v)
	case "enum":
		if v.kind != list {
			refuseKeyword(schema, name, "must be a list")
		}
		c.rules.spend(len(v.items))
		s.allow(v.items)
	case "const":
		c.rules.spend(1 + len(s.only))
		s.allow([]*value{v})
	case "minLength":
		s.hints |= typeString
		s.shortest = max(s.shortest, countOf(schema, name))
	case "maxLength":
		s.hints |= typeString
		s.longest = lower(s.longest, countOf(schema, name))
	case "pattern", "format":
		s.hints |= s.textKeyword(name, v, schema)
	case "minimum", "exclusiveMinimum":
		s.hints |= typeNumber
		s.low = higherLow(s.low, limit{numberOf(schema, name), name != "minimum"})
	case "maximum", "exclusiveMaximum":
		s.hints |= typeNumber
		s.high = lowerHigh(s.high, limit{numberOf(schema, name), name != "maximum"})
	case "properties", "additionalProperties", "required", "minProperties", "maxProperties":
		s.hints |= typeObject
		c.objectKeyword(s, name, v, schema)
	case "prefixItems", "items", "minItems", "maxItems":
		s.hints |= typeArray
		s.arrayKeyword(name, schema)
	}
}

func (s *shape) textKeyword(name string, v, schema *value) types {
	if v.kind != text {
		refuseKeyword(schema, name, "must be a string")
	}
	list := &s.patterns
	if name == "format" {
		if list = &s.formats; !checkFormat(schema, v) {
			return 0
		}
	}
	if !slices.ContainsFunc(*list, func(w *value) bool { return w.text == v.text }) {
		*list = append(*list, v)
	}
	return typeString
}

func (c *compiler) objectKeyword(s *shape, name string, v, schema *value) {
	switch name {
	case "properties":
		if v.kind != object {
			refuseKeyword(schema, name, "must be an object")
		}
		for _, p := range v.names {
			c.rules.spend(2)
			checkSchema(v.members[p])
			if !s.named[p] {
				s.named[p] = true
				s.names = append(s.names, p)
			}
		}
	case "additionalProperties":
		checkSchema(v)
	case "required":
		for _, p := range stringsOf(schema, name) {
			if !s.needed[p] {
				s.needed[p] = true
				s.required = append(s.required, p)
			}
		}
		return
	case "minProperties":
		if countOf(schema, name) > 0 && (s.minNamed == nil || countOf(s.minNamed, name) < countOf(schema, name)) {
			s.minNamed = schema
		}
		return
	case "maxProperties":
		s.maxProperties = lower(s.maxProperties, countOf(schema, name))
		return
	}
	if !slices.Contains(s.parts, schema) {
		s.parts = append(s.parts, schema)
	}
}

func (s *shape) arrayKeyword(name string, schema *value) {
	switch name {
	case "minItems":
		s.fewest = max(s.fewest, countOf(schema, name))
		return
	case "maxItems":
		s.most = lower(s.most, countOf(schema, name))
		return
	case "items":
		checkSchema(schema.get(name))
	case "prefixItems":
		schemas(schema, name)
	}
	if !slices.Contains(s.lists, schema) {
		s.lists = append(s.lists, schema)
	}
}

// allow restricts the values to those of a list.
func (s *shape) allow(values []*value) {
	if !s.enum {
		s.only, s.enum = values, true
		return
	}
	allowed := map[string]bool{}
	for _, v := range values {
		allowed[v.canonical()] = true
	}
	var both []*value
	for _, v := range s.only {
		if allowed[v.canonical()] {
			both = append(both, v)
		}
	}
	s.only = both
}

// lower returns the smaller limit.
func lower(a, b int) int {
	if a == noCount {
		return b
	}
	return min(a, b)
}

func higherLow(a, b limit) limit {
	if a.at == nil {
		return b
	}
	if d := a.at.Cmp(b.at); d > 0 || d == 0 && a.strict {
		return a
	}
	return b
}

func lowerHigh(a, b limit) limit {
	if a.at == nil {
		return b
	}
	if d := a.at.Cmp(b.at); d < 0 || d == 0 && a.strict {
		return a
	}
	return b
}
