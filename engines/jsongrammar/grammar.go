package jsongrammar

import (
	"fmt"
	"strings"
)

// Rule is a rule of a grammar.
type Rule int

// symbol is a part of an alternative: text in GBNF, or a rule that occurs min to max
// times.
type symbol struct {
	text     string
	rule     Rule
	min, max int // max 0: no limit
}

func literal(s string) symbol { return symbol{text: quote(s)} }
func once(r Rule) symbol      { return symbol{rule: r, min: 1, max: 1} }
func raw(s string) symbol     { return symbol{text: s} }

// rules are the rules of a grammar. A rule has alternatives, which are sequences of
// symbols.
type rules struct {
	alternatives [][][]symbol
	size         int
	work         int
	values       int
}

// add returns a new rule.
func (g *rules) add(alternatives ...[]symbol) Rule {
	if len(g.alternatives) >= maxRules {
		refuse("it makes a grammar of more than %d rules: send a smaller schema", maxRules)
	}
	g.alternatives = append(g.alternatives, nil)
	r := Rule(len(g.alternatives) - 1)
	for _, a := range alternatives {
		g.or(r, a...)
	}
	return r
}

// or adds an alternative to a rule.
func (g *rules) or(r Rule, symbols ...symbol) {
	for _, s := range symbols {
		g.size += len(s.text) + len("r1234 ")
	}
	if g.size > maxText {
		refuse("it makes a grammar of more than %d KiB: send a smaller schema", maxText>>10)
	}
	g.alternatives[r] = append(g.alternatives[r], symbols)
}

// spend counts steps of work.
func (g *rules) spend(steps int) {
	if g.work += steps; g.work > maxWork {
		refuse("it has too many combinations of alternatives, or a pattern that is too complex: simplify it")
	}
}

// base are rules that do not depend on a schema. Space is bounded, because a model that
// may write space without end sometimes does.
const base = `ws ::= " "?
char ::= [ !#-\[\]-~\x80-\uD7FF\uE000-\U0010FFFF] | "\\" ["\\/bfnrt]
string ::= "\"" char* "\""
digits ::= [0-9]{0,14}
integer ::= "-"? ("0" | [1-9] digits)
number ::= integer ("." [0-9] digits)? ([eE] [-+]? [0-9]{1,2})?
value ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" (string ":" ws value ("," ws string ":" ws value)*)? "}"
array ::= "[" (value ("," ws value)*)? "]"
`

// print returns the grammar in GBNF. It leaves out alternatives that can never end. It
// returns false if nothing is left of the root.
func (g *rules) print(root Rule) (string, bool) {
	ends := g.ends()
	if !ends[root] {
		return "", false
	}
	var b strings.Builder
	fmt.Fprintf(&b, "root ::= r%d\n", root)
	used := make([]bool, len(g.alternatives))
	used[root] = true
	for queue := []Rule{root}; len(queue) > 0; {
		r := queue[0]
		queue = queue[1:]
		fmt.Fprintf(&b, "r%d ::= ", r)
		separator := ""
		for _, a := range g.alternatives[r] {
			if !possible(a, ends) {
				continue
			}
			b.WriteString(separator)
			separator = " | "
			for i, s := range a {
				if i > 0 {
					b.WriteByte(' ')
				}
				if s.text != "" {
					b.WriteString(s.text)
					continue
				}
				if !ends[s.rule] {
					continue // may occur 0 times
				}
				s.print(&b)
				if !used[s.rule] {
					used[s.rule] = true
					queue = append(queue, s.rule)
				}
			}
			if len(a) == 0 {
				b.WriteString(`""`)
			}
		}
		b.WriteByte('\n')
	}
	b.WriteString(base)
	return b.String(), true
}

func (s symbol) print(b *strings.Builder) {
	fmt.Fprintf(b, "r%d", s.rule)
	switch {
	case s.min == 1 && s.max == 1:
	case s.max == 0 && s.min == 0:
		b.WriteByte('*')
	case s.max == 0:
		fmt.Fprintf(b, "{%d,}", s.min)
	case s.min == s.max:
		fmt.Fprintf(b, "{%d}", s.min)
	default:
		fmt.Fprintf(b, "{%d,%d}", s.min, s.max)
	}
}

// ends returns the rules of which some text is finite.
func (g *rules) ends() []bool {
	ends := make([]bool, len(g.alternatives))
	users := make([][]Rule, len(g.alternatives))
	queue := make([]Rule, 0, len(ends))
	for r, alternatives := range g.alternatives {
		queue = append(queue, Rule(r))
		for _, a := range alternatives {
			for _, s := range a {
				if s.text == "" {
					users[s.rule] = append(users[s.rule], Rule(r))
				}
			}
		}
	}
	for len(queue) > 0 {
		r := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if ends[r] {
			continue
		}
		for _, a := range g.alternatives[r] {
			if possible(a, ends) {
				ends[r] = true
				queue = append(queue, users[r]...)
				break
			}
		}
	}
	return ends
}

// possible reports whether every symbol that must occur can end.
func possible(alternative []symbol, ends []bool) bool {
	for _, s := range alternative {
		if s.text == "" && s.min > 0 && !ends[s.rule] {
			return false
		}
	}
	return true
}

// quote returns a literal in GBNF.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7F:
			fmt.Fprintf(&b, `\x%02X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// classRange returns a range of characters for a class in GBNF.
func classRange(low, high rune) string {
	if low == high {
		return classChar(low)
	}
	return classChar(low) + "-" + classChar(high)
}

func classChar(r rune) string {
	switch {
	case r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z':
		return string(r)
	case r <= 0xFF:
		return fmt.Sprintf(`\x%02X`, r)
	case r <= 0xFFFF:
		return fmt.Sprintf(`\u%04X`, r)
	default:
		return fmt.Sprintf(`\U%08X`, r)
	}
}
