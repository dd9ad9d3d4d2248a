package jsongrammar

import "slices"

// member returns what the value of a property must be valid for. It reports whether a
// schema of the shape says something about the property.
func (s *shape) member(name string) (all, bool) {
	var out all
	said := false
	for _, part := range s.parts {
		schema := part.get("properties").get2(name)
		if schema == nil {
			schema = part.get("additionalProperties")
		}
		if schema != nil {
			out, said = out.and(schema), true
		}
	}
	return out, said
}

// get2 is get for a value that may be nil.
func (v *value) get2(name string) *value {
	if v == nil {
		return nil
	}
	return v.get(name)
}

// additional returns what the values of properties without a name in the schema must
// be valid for, and whether there may be any: if additionalProperties is there, or no
// property has a name.
func (s *shape) additional() (all, bool) {
	var out all
	allowed := len(s.names) == 0
	for _, part := range s.parts {
		schema := part.get("additionalProperties")
		switch {
		case schema != nil && schema.kind == boolean && !schema.is:
			return all{}, false
		case schema != nil:
			out, allowed = out.and(schema), true
		}
	}
	return out, allowed
}

// properties returns the names of the properties that have a rule, in order.
func (s *shape) properties() []string {
	names := slices.Clone(s.names)
	for _, name := range s.required {
		if !s.named[name] {
			names = append(names, name)
		}
	}
	return names
}

// addObject adds objects. Each property is either in its place or, unless it is
// required, not there. The rule for a property and all after it has two forms: first
// is for an object without a property before it, and next begins with a comma.
func (c *compiler) addObject(r Rule, s *shape) {
	names := s.properties()
	c.rules.spend(len(names))
	c.checkCounts(s, len(s.required), len(names)-len(s.required))
	more, hasMore := s.additional()
	first, next := c.end(), c.end()
	if hasMore && (s.maxProperties == noCount || s.maxProperties > len(s.required)) {
		first, next = c.addAdditional(s, names, more, len(s.required))
	}
	for _, name := range slices.Backward(names) {
		member, _ := s.member(name)
		pair := []symbol{literal(encodeString(name) + ":"), raw("ws"), once(c.rule(member)), once(next)}
		begins := c.rules.add(pair)
		follows := c.rules.add(append([]symbol{literal(","), raw("ws")}, pair...))
		if !s.needed[name] {
			c.rules.or(begins, once(first))
			c.rules.or(follows, once(next))
		}
		first, next = begins, follows
	}
	c.rules.or(r, literal("{"), once(first))
}

// end returns a rule for the end of an object.
func (c *compiler) end() Rule { return c.rules.add([]symbol{literal("}")}) }

// addAdditional adds the rules for properties that the schema does not name.
func (c *compiler) addAdditional(s *shape, names []string, member all, taken int) (first, next Rule) {
	key := raw("string")
	if len(names) > 0 {
		key = once(c.quoted(otherWordsAutomaton(names)))
	}
	pair := c.rules.add([]symbol{key, literal(":"), raw("ws"), once(c.rule(member))})
	another := c.rules.add([]symbol{literal(","), raw("ws"), once(pair)})
	rest, all := symbol{rule: another}, symbol{rule: another}
	if s.maxProperties != noCount {
		all.max = min(s.maxProperties-taken, maxRepeat)
		rest.max = all.max - 1
	}
	first = c.rules.add([]symbol{once(pair), rest, literal("}")}, []symbol{literal("}")})
	if rest.max == 0 && s.maxProperties != noCount {
		first = c.rules.add([]symbol{once(pair), literal("}")}, []symbol{literal("}")})
	}
	return first, c.rules.add([]symbol{all, literal("}")})
}

// checkCounts refuses numbers of properties that the order of the rules cannot hold.
func (c *compiler) checkCounts(s *shape, required, optional int) {
	if s.minNamed != nil && countOf(s.minNamed, "minProperties") > required {
		refuseKeyword(s.minNamed, "minProperties", "cannot be enforced: list the properties that must be there in required")
	}
	if s.maxProperties != noCount && s.maxProperties < required+optional {
		refuse("maxProperties is less than the number of properties: leave it out, or leave out properties")
	}
	if _, more := s.additional(); more && s.maxProperties != noCount && optional > 0 {
		refuse("maxProperties cannot be enforced beside optional properties and additionalProperties: leave one of them out")
	}
}

// maxRepeat is the largest number of repetitions of a rule. Where a schema allows
// more, the grammar stops here.
const maxRepeat = 1000

// item returns what the item at an index of a list must be valid for. It reports
// whether a schema says something about it.
func (s *shape) item(index int) (all, bool) {
	var out all
	said := false
	for _, l := range s.lists {
		schema := l.get("items")
		if prefix := l.get("prefixItems"); prefix != nil && index < len(prefix.items) {
			schema = prefix.items[index]
		}
		if schema != nil {
			out, said = out.and(schema), true
		}
	}
	return out, said
}

// addArray adds arrays. All items of prefixItems are there, unless there are too many
// of them; more follow if the schema has items, or if it demands more.
func (c *compiler) addArray(r Rule, s *shape) {
	prefix := 0
	for _, l := range s.lists {
		if p := l.get("prefixItems"); p != nil {
			prefix = max(prefix, len(p.items))
		}
	}
	if s.fewest > maxRepeat {
		refuse("minItems is more than %d: ask for fewer items", maxRepeat)
	}
	limit := maxRepeat
	if s.most != noCount {
		limit = min(limit, s.most)
	}
	if s.fewest > limit {
		return
	}
	prefix = min(prefix, limit)
	_, said := s.item(prefix)
	if prefix > 0 && !said {
		limit = max(prefix, s.fewest)
	}
	symbols := []symbol{literal("[")}
	for i := range prefix {
		if i > 0 {
			symbols = append(symbols, literal(","), raw("ws"))
		}
		item, _ := s.item(i)
		symbols = append(symbols, once(c.rule(item)))
	}
	c.addRest(r, s, symbols, prefix, limit)
}

// addRest adds the items after the prefix.
func (c *compiler) addRest(r Rule, s *shape, symbols []symbol, prefix, limit int) {
	item, _ := s.item(prefix)
	if s.fewest == 0 && prefix == 0 {
		c.rules.or(r, literal("[]"))
	}
	if limit == prefix {
		if prefix > 0 {
			c.rules.or(r, append(symbols, literal("]"))...)
		}
		return
	}
	one := c.rule(item)
	if prefix == 0 {
		symbols = append(symbols, once(one))
		prefix = 1
	}
	another := symbol{rule: c.rules.add([]symbol{literal(","), raw("ws"), once(one)}), min: max(0, s.fewest-prefix), max: limit - prefix}
	if s.most == noCount {
		another.max = 0 // no limit
	}
	if another.max == 0 && s.most != noCount {
		c.rules.or(r, append(symbols, literal("]"))...)
		return
	}
	// Repetitions are counted as if they were written out, as llama.cpp does.
	c.rules.size += 8 * max(another.min, another.max)
	c.rules.or(r, append(symbols, another, literal("]"))...)
}
