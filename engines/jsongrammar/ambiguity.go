package jsongrammar

import "slices"

// maxParses bounds how many ways the sampler follows at once: the branches of an anyOf
// that the text so far fits, times those in them. It takes time for each of them.
const maxParses = 200

// ambiguity counts the ways of each rule of a schema.
type ambiguity struct {
	c *compiler
	// group numbers the rules; rules of one group lead to each other.
	group, low map[Rule]int
	stack      []Rule
	ways       map[Rule]int
}

// forks are the branches of an anyOf or oneOf whose texts may begin alike. A text fits
// one branch, and so does its beginning if a property at the start tells them apart.
type forks struct {
	schema   *value
	keyword  string
	branches [][]Rule // those that may begin alike
}

// forksOf returns the forks of a choice. rules are those of its branches.
func (c *compiler) forksOf(ch choice, branches []all, rules []Rule) forks {
	f := forks{schema: ch.in, keyword: ch.keyword}
	shapes := make([][]*shape, len(branches))
	for i, b := range branches {
		shapes[i] = c.withoutChoices(b)
	}
	for t := typeNull; t <= typeObject; t <<= 1 {
		var alike []Rule
		var objects []*shape
		for i := range branches {
			c.rules.spend(len(shapes[i]))
			made := slices.DeleteFunc(slices.Clone(shapes[i]), func(s *shape) bool { return !s.makes(t) })
			if len(made) > 0 {
				alike = append(alike, rules[i])
				objects = append(objects, made...)
			}
		}
		if len(alike) > 1 && (t != typeObject || !tagged(objects)) {
			f.branches = append(f.branches, alike)
		}
	}
	return f
}

// makes reports whether the rules make values of a type that have parts.
func (s *shape) makes(t types) bool { return !s.enum && s.types&t != 0 }

// tagged reports whether the first property of objects tells which of them it is.
func tagged(objects []*shape) bool {
	seen := map[string]bool{}
	for _, o := range objects {
		names := o.properties()
		if len(names) == 0 || !slices.Contains(o.required, names[0]) || names[0] != objects[0].properties()[0] {
			return false
		}
		member, _ := o.member(names[0])
		if len(member.schemas) != 1 {
			return false
		}
		for _, v := range constants(member.schemas[0]) {
			if seen[v.canonical()] {
				return false
			}
			seen[v.canonical()] = true
		}
		if len(constants(member.schemas[0])) == 0 {
			return false
		}
	}
	return true
}

// constants returns the values of a schema's const or enum.
func constants(schema *value) []*value {
	if schema.kind != object {
		return nil
	}
	if v := schema.get("const"); v != nil {
		return []*value{v}
	}
	if v := schema.get("enum"); v != nil {
		return v.items
	}
	return nil
}

// checkAmbiguity refuses schemas whose grammar has too many ways.
func (c *compiler) checkAmbiguity(root Rule) {
	a := &ambiguity{c: c, group: map[Rule]int{}, low: map[Rule]int{}, ways: map[Rule]int{}}
	a.visit(root)
}

// visit is Tarjan's algorithm. When a group is complete, all that it leads to is.
func (a *ambiguity) visit(r Rule) {
	number := len(a.group) + 1
	a.group[r], a.low[r] = number, number
	a.stack = append(a.stack, r)
	for _, alternative := range a.c.rules.alternatives[r] {
		for _, s := range alternative {
			if s.text != "" {
				continue
			}
			if a.group[s.rule] == 0 {
				a.visit(s.rule)
				a.low[r] = min(a.low[r], a.low[s.rule])
			} else if a.ways[s.rule] == 0 {
				a.low[r] = min(a.low[r], a.group[s.rule])
			}
		}
	}
	if a.low[r] != number {
		return
	}
	at := slices.Index(a.stack, r)
	members := slices.Clone(a.stack[at:])
	a.stack = a.stack[:at]
	a.count(members)
}

// count sets the ways of the rules of one group: the most of any of them.
func (a *ambiguity) count(members []Rule) {
	most := 1
	for _, r := range members {
		for _, alternative := range a.c.rules.alternatives[r] {
			for _, s := range alternative {
				if s.text == "" {
					most = max(most, a.ways[s.rule])
				}
			}
		}
		f := a.c.forks[r]
		for _, alike := range f.branches {
			sum := 0
			for _, branch := range alike {
				if a.ways[branch] == 0 {
					refuseKeyword(f.schema, f.keyword, "has branches that contain each other and that may begin alike: "+
						"let each begin with a required property that has another const")
				}
				sum += a.ways[branch]
			}
			if most = max(most, sum); most > maxParses {
				refuseKeyword(f.schema, f.keyword, "has too many branches that may begin alike: "+
					"let each begin with a required property that has another const")
			}
		}
	}
	for _, r := range members {
		a.ways[r] = most
	}
}
