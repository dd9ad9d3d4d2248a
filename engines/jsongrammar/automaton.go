package jsongrammar

import (
	"slices"
	"strings"
)

// automaton is a deterministic automaton over the characters of a string. It starts in
// state 0. Each text has one way through it, so the sampler follows one alternative
// however complex a pattern is.
type automaton struct {
	edges   [][]edge // of each state, by character
	accepts []bool
}

// edge leads to another state for the characters from low to high.
type edge struct {
	low, high rune
	to        int
}

// maxStates is the largest number of states of an automaton.
const maxStates = 2_000

func (m *automaton) add(accepts bool) int {
	if len(m.edges) >= maxStates {
		refuse("it has a pattern, or a combination of pattern and length, that is too complex: simplify it")
	}
	m.edges = append(m.edges, nil)
	m.accepts = append(m.accepts, accepts)
	return len(m.edges) - 1
}

// writable are the characters that a string of JSON can have in a form that the grammar
// uses: all but surrogates and the control characters without a short form.
func writable() []edge {
	return []edge{
		{low: '\b', high: '\n'}, {low: '\f', high: '\r'},
		{low: ' ', high: 0x7E}, {low: 0x80, high: 0xD7FF}, {low: 0xE000, high: 0x10FFFF},
	}
}

// isWritable reports whether a character is writable.
func isWritable(r rune) bool {
	return slices.ContainsFunc(writable(), func(e edge) bool { return e.low <= r && r <= e.high })
}

// otherWordsAutomaton accepts all words except those of a list.
func otherWordsAutomaton(words []string) *automaton {
	m := &automaton{}
	m.add(true)
	for _, word := range words {
		at := 0
		for _, r := range word {
			i := slices.IndexFunc(m.edges[at], func(e edge) bool { return e.low == r })
			if i < 0 {
				m.edges[at] = append(m.edges[at], edge{r, r, m.add(true)})
				i = len(m.edges[at]) - 1
			}
			at = m.edges[at][i].to
		}
		m.accepts[at] = false
	}
	free := m.add(true)
	for at := range m.edges {
		slices.SortFunc(m.edges[at], func(a, b edge) int { return int(a.low - b.low) })
		m.edges[at] = withOthers(m.edges[at], free)
	}
	return m
}

// matches reports whether the automaton accepts a text.
func (m *automaton) matches(s string) bool {
	at := 0
	for _, r := range s {
		i := slices.IndexFunc(m.edges[at], func(e edge) bool { return e.low <= r && r <= e.high })
		if i < 0 {
			return false
		}
		at = m.edges[at][i].to
	}
	return m.accepts[at]
}

// withOthers adds edges to a state for all writable characters without an edge.
func withOthers(edges []edge, to int) []edge {
	var out []edge
	for _, w := range writable() {
		from := w.low
		for _, e := range edges {
			if e.low < from || e.low > w.high {
				continue
			}
			if e.low > from {
				out = append(out, edge{from, e.low - 1, to})
			}
			out = append(out, e)
			from = e.high + 1
		}
		if from <= w.high {
			out = append(out, edge{from, w.high, to})
		}
	}
	return out
}

// lengthAutomaton accepts texts of a number of characters.
func lengthAutomaton(shortest, longest int) *automaton {
	m := &automaton{}
	last := longest
	if longest == noCount {
		last = shortest
	}
	for n := range last + 1 {
		m.add(n >= shortest)
	}
	for n := range last {
		m.edges[n] = withOthers(nil, n+1)
	}
	if longest == noCount {
		m.edges[last] = withOthers(nil, last)
	}
	return m
}

// both returns an automaton that accepts what a and b accept.
func (c *compiler) both(a, b *automaton) *automaton {
	type pair struct{ a, b int }
	m := &automaton{}
	states := map[pair]int{{0, 0}: m.add(a.accepts[0] && b.accepts[0])}
	queue := []pair{{0, 0}}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		from := states[at]
		for _, x := range a.edges[at.a] {
			c.rules.spend(1 + len(b.edges[at.b]))
			for _, y := range b.edges[at.b] {
				low, high := max(x.low, y.low), min(x.high, y.high)
				if low > high {
					continue
				}
				to := pair{x.to, y.to}
				state, ok := states[to]
				if !ok {
					state = m.add(a.accepts[to.a] && b.accepts[to.b])
					states[to] = state
					queue = append(queue, to)
				}
				m.edges[from] = append(m.edges[from], edge{low, high, state})
			}
		}
		slices.SortFunc(m.edges[from], func(a, b edge) int { return int(a.low - b.low) })
	}
	return m.trim()
}

// trim removes the edges to states from which nothing is accepted.
func (m *automaton) trim() *automaton {
	from := make([][]int, len(m.edges))
	useful := make([]bool, len(m.edges))
	var queue []int
	for s, edges := range m.edges {
		for _, e := range edges {
			from[e.to] = append(from[e.to], s)
		}
		if m.accepts[s] {
			queue = append(queue, s)
		}
	}
	for len(queue) > 0 {
		s := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if !useful[s] {
			useful[s] = true
			queue = append(queue, from[s]...)
		}
	}
	for s := range m.edges {
		m.edges[s] = slices.DeleteFunc(m.edges[s], func(e edge) bool { return !useful[e.to] })
	}
	return m
}

// empty reports whether the automaton accepts nothing.
func (m *automaton) empty() bool { return !m.accepts[0] && len(m.edges[0]) == 0 }

// quoted adds rules for the strings of JSON whose content the automaton accepts.
func (c *compiler) quoted(m *automaton) Rule {
	states := make([]Rule, len(m.edges))
	reached := make([]bool, len(m.edges))
	start := c.rules.add()
	states[0], reached[0] = c.rules.add(), true
	c.rules.or(start, raw(`"\""`), once(states[0]))
	for queue := []int{0}; len(queue) > 0; {
		s := queue[0]
		queue = queue[1:]
		if m.accepts[s] {
			c.rules.or(states[s], raw(`"\""`))
		}
		for _, to := range targets(m.edges[s]) {
			if !reached[to] {
				reached[to] = true
				states[to] = c.rules.add()
				queue = append(queue, to)
			}
			for _, expression := range class(m.edges[s], to) {
				c.rules.or(states[s], raw(expression), once(states[to]))
			}
		}
	}
	return start
}

// targets returns the states that edges lead to.
func targets(edges []edge) []int {
	var out []int
	for _, e := range edges {
		if !slices.Contains(out, e.to) {
			out = append(out, e.to)
		}
	}
	return out
}

// class returns expressions for the characters of the edges to a state, as JSON writes
// them.
func class(edges []edge, to int) []string {
	var chars, escapes strings.Builder
	plainRange := func(low, high rune) {
		if low <= high {
			chars.WriteString(classRange(low, high))
		}
	}
	for _, e := range edges {
		if e.to != to {
			continue
		}
		from := e.low
		for _, special := range "\b\t\n\f\r\"\\" {
			if special < e.low || special > e.high {
				continue
			}
			plainRange(from, special-1)
			from = special + 1
			escapes.WriteString(classChar(shortForms[special]))
		}
		plainRange(from, e.high)
	}
	var out []string
	if chars.Len() > 0 {
		out = append(out, "["+chars.String()+"]")
	}
	if escapes.Len() > 0 {
		out = append(out, `"\\" [`+escapes.String()+"]")
	}
	return out
}

// shortForms are the characters that JSON writes as a backslash and another character.
var shortForms = map[rune]rune{'\b': 'b', '\t': 't', '\n': 'n', '\f': 'f', '\r': 'r', '"': '"', '\\': '\\'}
