package jsongrammar

import (
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// maxPattern is the largest size of a pattern in bytes.
const maxPattern = 1_000

// patternAutomaton returns an automaton for the strings in which a pattern matches.
func (c *compiler) patternAutomaton(schema, v *value) *automaton {
	if len(v.text) > maxPattern {
		refuseKeyword(schema, v.name, "is longer than %d bytes: shorten it", maxPattern)
	}
	translated, hint := translate(v.text)
	if hint != "" {
		refuseKeyword(schema, v.name, "cannot be enforced: %s", hint)
	}
	// A pattern may match anywhere in the string.
	m, hint := c.compilePattern("(?s:.*)(?:" + translated + ")(?s:.*)")
	if hint != "" {
		refuseKeyword(schema, v.name, "cannot be enforced: %s", hint)
	}
	return m
}

// What classes contain, without the brackets. Validators differ in what \s is: those in
// Go take fewer characters than ECMAScript. So \s stands for those that all take, and
// what is not \s leaves out all that any takes.
const (
	fewSpaces = `\t\n\f\r `
	spaces    = `\t\n\v\f\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`
	newlines  = `\n\r\x{2028}\x{2029}`
)

// translate converts a regular expression of ECMAScript to one of Go with the same
// meaning. hint says what cannot be converted.
func translate(pattern string) (out, hint string) {
	var b strings.Builder
	inClass, negated := false, false
	for i := 0; i < len(pattern); i++ {
		rest := pattern[i:]
		switch ch := pattern[i]; {
		case ch == '\\':
			n, text, bad := translateEscape(rest, inClass, negated)
			if bad != "" {
				return "", bad
			}
			b.WriteString(text)
			i += n - 1
		case inClass && ch == '[':
			b.WriteString(`\[`) // Go has classes such as [[:alpha:]]
		case inClass:
			inClass = ch != ']'
			b.WriteByte(ch)
		case ch == '[':
			inClass, negated = true, strings.HasPrefix(rest, "[^")
			b.WriteByte(ch)
			if strings.HasPrefix(rest, "[]") || strings.HasPrefix(rest, "[^]") {
				return "", "it has an empty class"
			}
		case ch == '.':
			b.WriteString("[^" + newlines + "]")
		case strings.HasPrefix(rest, "(?") && !strings.HasPrefix(rest, "(?:"):
			return "", "it has a group with a question mark; only (?: is supported"
		default:
			b.WriteByte(ch)
		}
	}
	return b.String(), ""
}

// translateEscape converts the escape with which a text begins, of n bytes.
func translateEscape(s string, inClass, negated bool) (n int, text, hint string) {
	if len(s) < 2 {
		return 0, "", "it ends with a backslash"
	}
	switch ch := s[1]; ch {
	case 'd', 'D', 'w', 'W', 't', 'n', 'r', 'f', 'v':
		return 2, s[:2], ""
	case 's':
		switch {
		case negated && inClass:
			return 2, spaces, ""
		case inClass:
			return 2, fewSpaces, ""
		}
		return 2, "[" + fewSpaces + "]", ""
	case 'S':
		if !inClass {
			return 2, "[^" + spaces + "]", ""
		}
	case 'x', 'u':
		digits := map[byte]int{'x': 2, 'u': 4}[ch]
		if len(s) >= 2+digits {
			if code, err := strconv.ParseUint(s[2:2+digits], 16, 32); err == nil && (code < 0xD800 || code > 0xDFFF) {
				return 2 + digits, `\x{` + s[2:2+digits] + `}`, ""
			}
		}
	default:
		if strings.IndexByte(`^$\.*+?()[]{}|/-`, ch) >= 0 {
			return 2, `\` + string(ch), ""
		}
	}
	return 0, "", "it has the escape " + strconv.Quote(shorten(s[:2])) + ", which is not supported here"
}

// compilePattern builds the automaton of a regular expression of Go.
func (c *compiler) compilePattern(pattern string) (m *automaton, hint string) {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, "it is not a regular expression that is supported here"
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, "it is not a regular expression that is supported here"
	}
	d := &determiniser{compiler: c, prog: prog, out: &automaton{}, states: map[string]int{}}
	return d.run()
}

// determiniser builds an automaton from a program of Go's regexp by the subset
// construction.
type determiniser struct {
	*compiler
	prog   *syntax.Prog
	out    *automaton
	states map[string]int
	sets   [][]uint32
}

func (d *determiniser) run() (*automaton, string) {
	for _, inst := range d.prog.Inst {
		if op := syntax.EmptyOp(inst.Arg); inst.Op == syntax.InstEmptyWidth && op&^(syntax.EmptyBeginText|syntax.EmptyEndText) != 0 {
			return nil, "it has a word boundary"
		}
	}
	d.state([]uint32{uint32(d.prog.Start)}, true) //nolint:gosec // the size of a program
	for at := 0; at < len(d.sets); at++ {
		d.expand(at)
	}
	return d.out.trim(), ""
}

// state returns the state of a set of instructions and what they lead to without a
// character.
func (d *determiniser) state(from []uint32, begin bool) int {
	set := d.closure(from, begin, false)
	key := strconv.FormatBool(begin)
	for _, pc := range set {
		key += " " + strconv.FormatUint(uint64(pc), 36)
	}
	if s, ok := d.states[key]; ok {
		return s
	}
	accepts := slices.ContainsFunc(d.closure(from, begin, true), func(pc uint32) bool {
		return d.prog.Inst[pc].Op == syntax.InstMatch
	})
	s := d.out.add(accepts)
	d.states[key] = s
	d.sets = append(d.sets, set)
	return s
}

// closure returns the instructions that are reached without a character, in order. Those
// that wait for the end of the text stay in it.
func (d *determiniser) closure(from []uint32, begin, end bool) []uint32 {
	seen := map[uint32]bool{}
	var out []uint32
	stack := slices.Clone(from)
	for len(stack) > 0 {
		pc := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[pc] {
			continue
		}
		seen[pc] = true
		d.rules.spend(4)
		inst := &d.prog.Inst[pc]
		switch inst.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			stack = append(stack, inst.Out, inst.Arg)
		case syntax.InstCapture, syntax.InstNop:
			stack = append(stack, inst.Out)
		case syntax.InstEmptyWidth:
			op := syntax.EmptyOp(inst.Arg)
			switch {
			case op&syntax.EmptyBeginText != 0 && !begin:
			case op&syntax.EmptyEndText != 0 && !end:
				out = append(out, pc)
			default:
				stack = append(stack, inst.Out)
			}
		case syntax.InstFail:
		default:
			out = append(out, pc)
		}
	}
	slices.Sort(out)
	return out
}

// expand adds the edges of a state.
func (d *determiniser) expand(at int) {
	starts := []rune{}
	for _, w := range writable() {
		starts = append(starts, w.low, w.high+1)
	}
	var ranges []edge // to is an instruction
	for _, pc := range d.sets[at] {
		for _, r := range runes(&d.prog.Inst[pc]) {
			ranges = append(ranges, edge{r.low, r.high, int(d.prog.Inst[pc].Out)})
			starts = append(starts, r.low, r.high+1)
		}
	}
	slices.Sort(starts)
	starts = slices.Compact(starts)
	for i, low := range starts[:len(starts)-1] {
		if !isWritable(low) {
			continue
		}
		d.rules.spend(len(ranges))
		var next []uint32
		for _, r := range ranges {
			if r.low <= low && low <= r.high && !slices.Contains(next, uint32(r.to)) { //nolint:gosec // an instruction
				next = append(next, uint32(r.to)) //nolint:gosec // as above
			}
		}
		if len(next) == 0 {
			continue
		}
		to, high := d.state(next, false), starts[i+1]-1
		edges := &d.out.edges[at]
		if n := len(*edges); n > 0 && (*edges)[n-1].to == to && (*edges)[n-1].high == low-1 {
			(*edges)[n-1].high = high
		} else {
			*edges = append(*edges, edge{low, high, to})
		}
	}
}

// runes returns the characters that an instruction reads.
func runes(inst *syntax.Inst) []edge {
	switch inst.Op {
	case syntax.InstRuneAny:
		return []edge{{low: 0, high: 0x10FFFF}}
	case syntax.InstRuneAnyNotNL:
		return []edge{{low: 0, high: '\n' - 1}, {low: '\n' + 1, high: 0x10FFFF}}
	case syntax.InstRune, syntax.InstRune1:
		if len(inst.Rune) == 1 {
			return cases(inst.Rune[0], syntax.Flags(inst.Arg)&syntax.FoldCase != 0)
		}
		var out []edge
		for i := 0; i+1 < len(inst.Rune); i += 2 {
			out = append(out, edge{low: inst.Rune[i], high: inst.Rune[i+1]})
		}
		return out
	default:
		return nil
	}
}

// cases returns a character and, if its case does not matter, the others that differ from it
// by case. Package syntax writes [Aa] so, too.
func cases(r rune, fold bool) []edge {
	out := []edge{{low: r, high: r}}
	for other := unicode.SimpleFold(r); fold && other != r; other = unicode.SimpleFold(other) {
		out = append(out, edge{low: other, high: other})
	}
	return out
}
