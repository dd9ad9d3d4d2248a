package jsongrammar

// addString adds the strings of a shape.
func (c *compiler) addString(r Rule, s *shape) {
	if s.longest != noCount && s.longest < s.shortest {
		return
	}
	if len(s.patterns)+len(s.formats) == 0 {
		c.addText(r, s.shortest, s.longest)
		return
	}
	m := c.stringAutomaton(s)
	if s.shortest > 0 || s.longest != noCount {
		c.checkLength(s)
		m = c.both(m, lengthAutomaton(s.shortest, s.longest))
	}
	if m.empty() {
		return
	}
	c.rules.or(r, once(c.quoted(m)))
}

// stringAutomaton returns an automaton for the patterns and formats of a shape, or nil
// if it has none.
func (c *compiler) stringAutomaton(s *shape) *automaton {
	var m *automaton
	meet := func(other *automaton) {
		if m == nil {
			m = other
		} else {
			m = c.both(m, other)
		}
	}
	for _, p := range s.patterns {
		meet(c.patternAutomaton(p.parent, p))
	}
	for _, f := range s.formats {
		meet(c.formatAutomaton(f))
	}
	return m
}

// checkLength refuses lengths that an automaton cannot count.
func (c *compiler) checkLength(s *shape) {
	if max(s.shortest, s.longest) >= maxStates/2 {
		refuse("minLength or maxLength is more than %d beside a pattern or format: lower it, or leave it out", maxStates/2)
	}
}

// maxLength is the length at which strings without a pattern end at the latest if they
// have a maxLength at all: no answer is so long.
const maxLength = 64 * 1024

// textRules are the rules for text of a bounded length, which all strings share. Text
// is counted in blocks: one rule for each length would make the grammar large.
type textRules struct {
	exact  map[int]Rule // n characters
	upTo   map[int]Rule // up to n, less than a block
	blocks map[int]Rule // up to n blocks
}

const block = 64

// addText adds strings without a pattern.
func (c *compiler) addText(r Rule, shortest, longest int) {
	if shortest > maxLength {
		refuse("minLength is more than %d: lower it", maxLength)
	}
	if c.text.exact == nil {
		*c.text = textRules{exact: map[int]Rule{}, upTo: map[int]Rule{}, blocks: map[int]Rule{}}
	}
	symbols := append([]symbol{raw(`"\""`)}, c.exactly(shortest)...)
	if longest == noCount {
		c.rules.or(r, append(symbols, raw("char*"), raw(`"\""`))...)
		return
	}
	more := min(longest, maxLength) - shortest
	blocks, rest := more/block, more%block
	// Either the text ends within the first rest characters, or there are rest of
	// them and then blocks.
	symbols = append(symbols, once(c.upTo(rest, blocks)), raw(`"\""`))
	c.rules.or(r, symbols...)
}

// exactly returns n characters.
func (c *compiler) exactly(n int) []symbol {
	var out []symbol
	if blocks := n / block; blocks > 0 {
		out = append(out, symbol{rule: c.exact(block), min: blocks, max: blocks})
		c.rules.size += 8 * blocks
	}
	if n%block > 0 {
		out = append(out, once(c.exact(n%block)))
	}
	return out
}

func (c *compiler) exact(n int) Rule {
	r, ok := c.text.exact[n]
	if !ok {
		r = c.rules.add([]symbol{raw("char{" + itoa(n) + "}")})
		c.rules.size += 8 * n
		c.text.exact[n] = r
	}
	return r
}

// upTo returns the rule for up to n characters, or n and then up to a number of blocks.
func (c *compiler) upTo(n, blocks int) Rule {
	key := n + block*blocks
	r, ok := c.text.upTo[key]
	if ok {
		return r
	}
	switch {
	case key == 0:
		r = c.rules.add([]symbol{})
	case n == 0:
		r = c.blocks(blocks)
	default:
		r = c.rules.add([]symbol{raw("char"), once(c.upTo(n-1, blocks))}, []symbol{})
	}
	c.text.upTo[key] = r
	return r
}

// blocks returns the rule for up to n blocks of characters: nothing, or a part of a
// block, or a whole one and then up to n-1.
func (c *compiler) blocks(n int) Rule {
	for i := 1; i <= n; i++ {
		if _, ok := c.text.blocks[i]; ok {
			continue
		}
		whole := []symbol{once(c.exact(block))}
		if i > 1 {
			whole = append(whole, once(c.text.blocks[i-1]))
		}
		c.text.blocks[i] = c.rules.add([]symbol{once(c.upTo(block-1, 0))}, whole)
	}
	return c.text.blocks[n]
}
