package jsongrammar

import "slices"

// checkDistinct refuses a oneOf with branches that one value may be valid for together.
func (c *compiler) checkDistinct(a all, ch choice) {
	branches := c.branches(a, ch)
	for i := range branches {
		for j := range branches {
			if i != j && !c.excludes(branches[i], branches[j], 0) {
				refuseKeyword(ch.in, "oneOf", "has branches %d and %d that cannot be distinguished: use anyOf, or give them different types, "+
					"or a required property with different values of const", min(i, j), max(i, j))
			}
		}
	}
}

// excludes reports whether no value that the rules make for a is valid for b.
func (c *compiler) excludes(a, b all, depth int) bool {
	if depth > 8 {
		return false
	}
	for _, x := range c.withoutChoices(a) {
		for _, y := range c.withoutChoices(b) {
			c.rules.spend(10)
			if !c.shapeExcludes(x, y, depth) {
				return false
			}
		}
	}
	return true
}

// withoutChoices returns the shapes of a set for each combination of its choices.
func (c *compiler) withoutChoices(a all) []*shape {
	c.rules.spend(50)
	s := c.shape(a)
	if len(s.choices) == 0 {
		return []*shape{s}
	}
	var out []*shape
	for _, branch := range c.branches(a, s.choices[0]) {
		out = append(out, c.withoutChoices(branch)...)
	}
	return out
}

func (c *compiler) shapeExcludes(a, b *shape, depth int) bool {
	made := a.types
	if a.enum {
		if b.enum {
			return disjoint(a.only, b.only)
		}
		made = 0
		for _, v := range a.only {
			made |= v.typeOf()
		}
	}
	if made&typeFraction != 0 {
		made |= typeInteger // 1.0
	}
	for t := typeNull; t <= typeObject; t <<= 1 {
		if made&b.valid&t != 0 && !c.typeExcludes(t, a, b, depth) {
			return false
		}
	}
	return true
}

// typeExcludes reports whether no value of a type that is made for a is valid for b.
func (c *compiler) typeExcludes(t types, a, b *shape, depth int) bool {
	if b.enum && !slices.ContainsFunc(b.only, func(v *value) bool { return v.typeOf() == t }) {
		return true
	}
	if a.enum {
		return false
	}
	switch t {
	case typeString:
		return a.longest != noCount && a.longest < b.shortest || b.longest != noCount && b.longest < a.shortest
	case typeInteger, typeFraction:
		return apart(a.high, b.low) || apart(b.high, a.low)
	case typeArray:
		return a.most != noCount && a.most < b.fewest || b.most != noCount && b.most < a.fewest
	case typeObject:
		return c.objectExcludes(a, b, depth)
	default:
		return false
	}
}

func (c *compiler) objectExcludes(a, b *shape, depth int) bool {
	for _, name := range a.required {
		c.rules.spend(1 + len(a.parts) + len(b.parts))
		mine, _ := a.member(name)
		if theirs, said := b.member(name); said && c.excludes(mine, theirs, depth+1) {
			return true
		}
	}
	if _, more := a.additional(); more {
		return false
	}
	for _, name := range b.required {
		if !a.named[name] && !a.needed[name] {
			return true
		}
	}
	return false
}

// apart reports whether all numbers up to high are less than those from low.
func apart(high, low limit) bool {
	if high.at == nil || low.at == nil {
		return false
	}
	d := high.at.Cmp(low.at)
	return d < 0 || d == 0 && (high.strict || low.strict)
}

func disjoint(a, b []*value) bool {
	in := map[string]bool{}
	for _, v := range a {
		in[v.canonical()] = true
	}
	return !slices.ContainsFunc(b, func(v *value) bool { return in[v.canonical()] })
}
