package jsongrammar_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// gbnf is a grammar as llama.cpp reads it, for tests: it writes random texts, and
// reports whether it matches a text.
type gbnf struct {
	rules map[string]expression
	depth map[string]int // of the shortest derivation
}

// expression is alternatives of sequences.
type expression [][]item

type item struct {
	min, max int // max -1: no limit

	rule    string
	group   expression
	literal string
	ranges  []rune // pairs
	negated bool
	class   bool
}

// parseGBNF reads what this package writes.
func parseGBNF(t *testing.T, grammar string) *gbnf {
	t.Helper()
	g := &gbnf{rules: map[string]expression{}, depth: map[string]int{}}
	for line := range strings.SplitSeq(strings.TrimSpace(grammar), "\n") {
		name, body, found := strings.Cut(line, " ::= ")
		if _, twice := g.rules[name]; !found || twice {
			t.Fatalf("not a rule: %s", line)
		}
		p := &gbnfParser{t: t, rest: []rune(body)}
		g.rules[name] = p.expression()
		if len(p.rest) > 0 {
			t.Fatalf("cannot read %q in %s", string(p.rest), line)
		}
	}
	for changed := true; changed; {
		changed = false
		for name, e := range g.rules {
			if d := g.expressionDepth(e); d >= 0 && (g.depth[name] == 0 || d+1 < g.depth[name]) {
				g.depth[name], changed = d+1, true
			}
		}
	}
	for name := range g.rules {
		if g.depth[name] == 0 {
			t.Fatalf("the rule %s never ends, in\n%s", name, grammar)
		}
	}
	return g
}

func (g *gbnf) expressionDepth(e expression) int {
	best := -1
	for _, sequence := range e {
		if d := g.sequenceDepth(sequence); d >= 0 && (best < 0 || d < best) {
			best = d
		}
	}
	return best
}

func (g *gbnf) sequenceDepth(sequence []item) int {
	deepest := 0
	for _, it := range sequence {
		d := 0
		switch {
		case it.min == 0:
		case it.rule != "":
			if d = g.depth[it.rule]; d == 0 {
				return -1
			}
		case it.group != nil:
			if d = g.expressionDepth(it.group); d < 0 {
				return -1
			}
		}
		deepest = max(deepest, d)
	}
	return deepest
}

type gbnfParser struct {
	t    *testing.T
	rest []rune
}

func (p *gbnfParser) peek() rune {
	if len(p.rest) == 0 {
		return 0
	}
	return p.rest[0]
}

func (p *gbnfParser) next() rune {
	r := p.peek()
	if r == 0 {
		p.t.Fatal("the rule ends early")
	}
	p.rest = p.rest[1:]
	return r
}

func (p *gbnfParser) space() {
	for p.peek() == ' ' {
		p.next()
	}
}

func (p *gbnfParser) expression() expression {
	out := expression{nil}
	for {
		p.space()
		switch p.peek() {
		case '|':
			p.next()
			out = append(out, nil)
			continue
		case 0, ')':
			return out
		}
		out[len(out)-1] = append(out[len(out)-1], p.item())
	}
}

func (p *gbnfParser) item() item {
	it := item{min: 1, max: 1}
	switch r := p.next(); r {
	case '"':
		for p.peek() != '"' {
			it.literal += string(p.char())
		}
		p.next()
	case '[':
		it.class = true
		if it.negated = p.peek() == '^'; it.negated {
			p.next()
		}
		for p.peek() != ']' {
			low := p.char()
			high := low
			if p.peek() == '-' && p.rest[1] != ']' {
				p.next()
				high = p.char()
			}
			it.ranges = append(it.ranges, low, high)
		}
		p.next()
	case '(':
		it.group = p.expression()
		p.next()
	default:
		it.rule = string(r)
		for r := p.peek(); r >= 'a' && r <= 'z' || r >= '0' && r <= '9'; r = p.peek() {
			it.rule += string(p.next())
		}
	}
	p.repetition(&it)
	return it
}

func (p *gbnfParser) repetition(it *item) {
	switch p.peek() {
	case '*':
		p.next()
		it.min, it.max = 0, -1
	case '?':
		p.next()
		it.min = 0
	case '{':
		p.next()
		text := ""
		for p.peek() != '}' {
			text += string(p.next())
		}
		p.next()
		low, high, ranged := strings.Cut(text, ",")
		it.min, _ = strconv.Atoi(low)
		it.max = it.min
		if ranged {
			it.max = -1
			if high != "" {
				it.max, _ = strconv.Atoi(high)
			}
		}
		if it.min > 2000 || it.max > 2000 {
			p.t.Fatalf("llama.cpp refuses the repetition %s", text)
		}
	}
}

func (p *gbnfParser) char() rune {
	r := p.next()
	if r != '\\' {
		return r
	}
	digits := map[rune]int{'x': 2, 'u': 4, 'U': 8}
	r = p.next()
	n, ok := digits[r]
	if !ok {
		return r
	}
	code, err := strconv.ParseInt(string(p.rest[:n]), 16, 32)
	if err != nil {
		p.t.Fatal(err)
	}
	p.rest = p.rest[n:]
	return rune(code)
}

// write returns a random text. It takes the shortest way when the text is long.
func (g *gbnf) write(random *rand.Rand) string {
	w := &writer{g: g, random: random}
	w.expression(g.rules["root"])
	return w.out.String()
}

type writer struct {
	g      *gbnf
	random *rand.Rand
	out    strings.Builder
	depth  int
}

func (w *writer) expression(e expression) {
	w.depth++
	defer func() { w.depth-- }()
	sequence := e[w.random.IntN(len(e))]
	if w.depth > 40 || w.out.Len() > 2000 {
		best := -1
		for _, s := range e {
			if d := w.g.sequenceDepth(s); d >= 0 && (best < 0 || d < best) {
				best, sequence = d, s
			}
		}
	}
	for _, it := range sequence {
		n := it.min
		if w.out.Len() < 2000 && w.depth <= 40 {
			extra := 3
			if it.max >= 0 {
				extra = it.max - it.min
			}
			n += w.random.IntN(extra + 1)
		}
		for range n {
			w.item(it)
		}
	}
}

func (w *writer) item(it item) {
	switch {
	case it.rule != "":
		w.expression(w.g.rules[it.rule])
	case it.group != nil:
		w.expression(it.group)
	case it.class:
		w.out.WriteRune(w.char(it))
	default:
		w.out.WriteString(it.literal)
	}
}

func (w *writer) char(it item) rune {
	for {
		r := rune(w.random.IntN(0x7F))
		if w.random.IntN(4) == 0 {
			r = []rune("é文\U0001F600\u2028\u0085\ufeff\u00a0\\\"\n")[w.random.IntN(10)]
		}
		if !it.negated {
			i := w.random.IntN(len(it.ranges)/2) * 2
			r = it.ranges[i] + rune(w.random.Int64N(int64(it.ranges[i+1]-it.ranges[i])+1))
		}
		if it.has(r) {
			return r
		}
	}
}

func (it item) has(r rune) bool {
	in := false
	for i := 0; i < len(it.ranges); i += 2 {
		in = in || it.ranges[i] <= r && r <= it.ranges[i+1]
	}
	return in != it.negated
}

// matches reports whether the grammar allows a text.
func (g *gbnf) matches(text string) bool {
	m := &matcher{g: g, text: []rune(text), rules: map[matched][]int{}}
	for _, end := range m.expression(g.rules["root"], 0) {
		if end == len(m.text) {
			return true
		}
	}
	return false
}

type matcher struct {
	g     *gbnf
	text  []rune
	rules map[matched][]int
}

type matched struct {
	rule string
	at   int
}

// expression returns where a match that starts at an index may end.
func (m *matcher) expression(e expression, at int) []int {
	ends := map[int]bool{}
	for _, sequence := range e {
		from := []int{at}
		for _, it := range sequence {
			from = m.repeated(it, from)
		}
		for _, end := range from {
			ends[end] = true
		}
	}
	return keys(ends)
}

func (m *matcher) repeated(it item, from []int) []int {
	out := map[int]bool{}
	for n := 0; len(from) > 0 && (it.max < 0 || n <= it.max); n++ {
		before := len(out)
		if n >= it.min {
			for _, at := range from {
				out[at] = true
			}
			if n > it.min && len(out) == before {
				break
			}
		}
		next := map[int]bool{}
		for _, at := range from {
			for _, end := range m.item(it, at) {
				next[end] = true
			}
		}
		from = keys(next)
	}
	return keys(out)
}

func (m *matcher) item(it item, at int) []int {
	switch {
	case it.rule != "":
		key := matched{it.rule, at}
		ends, ok := m.rules[key]
		if !ok {
			ends = m.expression(m.g.rules[it.rule], at)
			m.rules[key] = ends
		}
		return ends
	case it.group != nil:
		return m.expression(it.group, at)
	case it.class:
		if at < len(m.text) && it.has(m.text[at]) {
			return []int{at + 1}
		}
		return nil
	default:
		literal := []rune(it.literal)
		if at+len(literal) <= len(m.text) && string(m.text[at:at+len(literal)]) == it.literal {
			return []int{at + len(literal)}
		}
		return nil
	}
}

func keys(set map[int]bool) []int {
	out := make([]int, 0, len(set))
	for k := range set {
		out = append(out, k)
	}
	return out
}
