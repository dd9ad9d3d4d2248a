package jsongrammar

import "slices"

// Builder builds one grammar, of schemas and of text around them.
type Builder struct {
	rules *rules
	text  textRules
}

// NewBuilder returns a Builder without rules.
func NewBuilder() *Builder { return &Builder{rules: &rules{}} }

// Schema adds a rule for the values of a schema; see the function Schema.
func (b *Builder) Schema(schema, where string) (Rule, error) {
	return b.schema(schema, where, func(*value) {})
}

// Arguments adds a rule for the arguments of a function, which are an object. An empty
// schema stands for no arguments.
func (b *Builder) Arguments(schema, where string) (Rule, error) {
	if schema == "" {
		return b.literal("{}"), nil
	}
	return b.schema(schema, where, func(root *value) {
		if root.kind != object || root.get("type") == nil || root.get("type").text != "object" {
			refuseKeyword(root, "type", "must be \"object\": arguments have names")
		}
		if p := root.get("properties"); (p == nil || p.kind == object && len(p.names) == 0) && !slices.ContainsFunc(
			[]string{"additionalProperties", "patternProperties", "$ref", "allOf", "anyOf", "oneOf"}, func(name string) bool { return root.get(name) != nil },
		) {
			root.members["additionalProperties"] = &value{kind: boolean, parent: root}
			root.names = append(root.names, "additionalProperties")
		}
	})
}

// schema adds a rule for a schema that prepare has checked or changed.
func (b *Builder) schema(schema, where string, prepare func(root *value)) (r Rule, err error) {
	defer recoverInto(&err, where)
	root := readJSON(schema, &b.rules.values)
	checkSchema(root)
	prepare(root)
	c := &compiler{rules: b.rules, text: &b.text, root: root, made: map[string]Rule{}, loops: map[*value]int{}, forks: map[Rule]forks{}}
	r = c.rule(all{}.and(root))
	c.checkAmbiguity(r)
	return r, nil
}

// Object adds a rule for any JSON object.
func (b *Builder) Object() Rule { return b.gbnf("object") }

// Grammar returns the grammar in GBNF.
func (b *Builder) Grammar(root Rule, where string) (grammar string, err error) {
	defer recoverInto(&err, where)
	grammar, ok := b.rules.print(root)
	if !ok {
		refuse("no value is valid for it, or only values without an end: correct it")
	}
	return grammar, nil
}

// compiler adds the rules of one schema.
type compiler struct {
	rules *rules
	text  *textRules
	root  *value
	made  map[string]Rule // by the key of the set
	loops map[*value]int
	forks map[Rule]forks
}

// rule returns the rule for values that are valid for all schemas of a set.
func (c *compiler) rule(a all) Rule {
	c.rules.spend(len(a.schemas) + 1)
	key := a.key()
	if r, ok := c.made[key]; ok {
		return r
	}
	r := c.rules.add()
	c.made[key] = r
	s := c.shape(a)
	if len(s.choices) > 0 {
		first := s.choices[0]
		if first.keyword == "oneOf" {
			c.checkDistinct(a, first)
		}
		branches := c.branches(a, first)
		made := make([]Rule, len(branches))
		for i, branch := range branches {
			made[i] = c.rule(branch)
			c.rules.or(r, once(made[i]))
		}
		c.forks[r] = c.forksOf(first, branches, made)
		return r
	}
	c.add(r, a, s)
	return r
}

// branches returns the set with each branch of a choice.
func (c *compiler) branches(a all, ch choice) []all {
	out := make([]all, len(ch.branches))
	for i, branch := range ch.branches {
		out[i] = a.and(branch)
		out[i].taken = append(slices.Clip(a.taken), ch.in.get(ch.keyword))
	}
	return out
}

// add adds the alternatives of a shape without choices.
func (c *compiler) add(r Rule, a all, s *shape) {
	if s.enum {
		c.addEnum(r, s)
		return
	}
	if len(a.schemas) == 0 || s.types == allTypes && s.hints == 0 {
		c.rules.or(r, raw("value"))
		return
	}
	if s.types&typeObject != 0 {
		c.addObject(r, s)
	}
	if s.types&typeArray != 0 {
		c.addArray(r, s)
	}
	if s.types&typeString != 0 {
		c.addString(r, s)
	}
	if s.types&typeNumber != 0 {
		c.addNumber(r, s)
	}
	if s.types&typeBoolean != 0 {
		c.rules.or(r, literal("true"))
		c.rules.or(r, literal("false"))
	}
	if s.types&typeNull != 0 {
		c.rules.or(r, literal("null"))
	}
}

// typeOf returns the type of a value.
func (v *value) typeOf() types {
	switch v.kind {
	case null:
		return typeNull
	case boolean:
		return typeBoolean
	case number:
		if v.number().IsInt() {
			return typeInteger
		}
		return typeFraction
	case text:
		return typeString
	case list:
		return typeArray
	default:
		return typeObject
	}
}
