package scoring

import (
	"context"
	"math"

	"github.com/lexilingo/modelgateway/engines/hubert/ctc"
)

// Costs of the comparison of a text with what was heard. A missing or extra symbol
// inside a word costs twice as much as in an omitted or inserted word, and a wrong
// symbol costs more than both. So if most symbols of a word are wrong, it counts as
// another word.
const (
	costSymbol   = 2 // a symbol of an omitted or inserted word
	costInside   = 4 // a missing or extra symbol inside a word
	costWrong    = 5 // a wrong symbol inside a word
	costBoundary = 1 // an extra or missing boundary inside a word
	costGlued    = 4 // each side of an inserted word without a boundary
)

const unreachable = math.MaxInt32

// piece is a part of the comparison. Pieces are in the order of the text and of
// time.
type piece struct {
	// word is the index of the reference word, or -1 for an insertion.
	word int
	// reading is the index of the reading that was said.
	reading int
	// The heard symbols in [from, to) belong to it; none for an omission.
	from, to int
	said     bool
}

// match compares the reference words with what was heard, at the least cost. It is
// an edit distance on two levels: words are omitted, inserted, or paired with heard
// symbols, and pairs are compared symbol by symbol.
func match(ctx context.Context, words []Word, heard []ctc.Span, boundary int) ([]piece, error) {
	rows := make([]*row, 0, len(words)+1)
	current := newRow(len(heard))
	current.arrive[0] = arrival{cost: 0}
	for _, w := range words {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		current.insert(heard, boundary)
		rows = append(rows, current)
		next := current.next(w, heard, boundary)
		current.outside, current.inside = nil, nil // trace does not need them
		current = next
	}
	current.insert(heard, boundary)
	rows = append(rows, current)
	return trace(rows, heard, boundary), nil
}

// arrival is the cheapest comparison of a number of words with a number of heard
// symbols that ends with a word.
type arrival struct {
	cost    int32
	from    int32 // number of heard symbols before the word
	reading int32
	said    bool
}

// row has the costs after a number of words, for each number of heard symbols.
type row struct {
	arrive []arrival
	// outside is the cost between words, inside the cost within an insertion.
	outside, inside []int32
	// The last step to outside and to inside.
	by     []move
	opened []bool
}

// move is the last step to a place between words.
type move uint8

const (
	byWord     move = iota // a word
	byBoundary             // a boundary that was heard
	byInserted             // the end of an insertion
)

func newRow(n int) *row {
	r := &row{
		arrive: make([]arrival, n+1), outside: make([]int32, n+1), inside: make([]int32, n+1),
		by: make([]move, n+1), opened: make([]bool, n+1),
	}
	for b := range r.arrive {
		r.arrive[b].cost = unreachable
		r.outside[b], r.inside[b] = unreachable, unreachable
	}
	return r
}

// insert adds the symbols that were heard between words.
func (r *row) insert(heard []ctc.Span, boundary int) {
	for b := range r.arrive {
		r.outside[b], r.by[b] = r.arrive[b].cost, byWord
		if b > 0 && heard[b-1].Symbol == boundary {
			if r.outside[b-1] < r.outside[b] {
				r.outside[b], r.by[b] = r.outside[b-1], byBoundary
			}
			r.inside[b] = unreachable // a boundary ends an insertion
			if r.inside[b-1] < r.outside[b] {
				r.outside[b], r.by[b] = r.inside[b-1], byInserted
			}
		} else if b > 0 {
			r.extend(heard, boundary, b)
		}
	}
}

// extend adds the heard symbol before b to an insertion.
func (r *row) extend(heard []ctc.Span, boundary, b int) {
	r.inside[b] = add(r.inside[b-1], costSymbol)
	open := add(r.outside[b-1], costSymbol)
	if boundary >= 0 && b > 1 && heard[b-2].Symbol != boundary {
		open = add(open, costGlued)
	}
	if open < r.inside[b] {
		r.inside[b], r.opened[b] = open, true
	}
	end := r.inside[b]
	if boundary >= 0 && b < len(heard) && heard[b].Symbol != boundary {
		end = add(end, costGlued)
	}
	if end < r.outside[b] {
		r.outside[b], r.by[b] = end, byInserted
	}
}

func add(cost, more int32) int32 {
	if cost == unreachable {
		return unreachable
	}
	return cost + more
}

// next adds a word, which is omitted or said in one of its readings.
func (r *row) next(w Word, heard []ctc.Span, boundary int) *row {
	out := newRow(len(heard))
	omitted := int32(0)
	for i, reading := range w.Readings {
		if cost := int32(length(reading, boundary)) * costSymbol; i == 0 || cost < omitted { //nolint:gosec // a word's
			omitted = cost
		}
	}
	for b := range out.arrive {
		out.arrive[b] = arrival{cost: add(r.outside[b], omitted), from: int32(b)} //nolint:gosec // frames
	}
	for i, reading := range w.Readings {
		r.pair(out, reading, int32(i), heard, boundary) //nolint:gosec // a handful
	}
	return out
}

// length returns the number of symbols of a reading, without boundaries.
func length(reading []int, boundary int) int {
	n := 0
	for _, k := range reading {
		if k != boundary {
			n++
		}
	}
	return n
}

// state is the cheapest comparison up to a place inside a word.
type state struct{ cost, from int32 }

// pair compares a reading with everything that was heard.
func (r *row) pair(out *row, reading []int, index int32, heard []ctc.Span, boundary int) {
	current, next := make([]state, len(heard)+1), make([]state, len(heard)+1)
	for b := range current {
		current[b] = state{r.outside[b], int32(b)} //nolint:gosec // frames
	}
	allowExtra(current, heard, boundary, false)
	for i, symbol := range reading {
		missing := int32(costInside)
		if symbol == boundary {
			missing = costBoundary
		}
		for b := range next {
			next[b] = state{add(current[b].cost, missing), current[b].from}
			if b == 0 {
				continue
			}
			if cost := add(current[b-1].cost, substitution(symbol, heard[b-1].Symbol, boundary)); cost < next[b].cost {
				next[b] = state{cost, current[b-1].from}
			}
		}
		allowExtra(next, heard, boundary, i+1 < len(reading))
		current, next = next, current
	}
	for b, s := range current {
		// If omitting the word costs the same, another word was said.
		if s.cost < out.arrive[b].cost {
			out.arrive[b] = arrival{cost: s.cost, from: s.from, reading: index, said: true}
		}
	}
}

// allowExtra adds the costs of heard symbols that the word does not have.
func allowExtra(states []state, heard []ctc.Span, boundary int, inside bool) {
	for b := 1; b < len(states); b++ {
		extra := int32(costInside)
		if heard[b-1].Symbol == boundary {
			extra = costBoundary
			if !inside {
				continue // it is between the words
			}
		}
		if cost := add(states[b-1].cost, extra); cost < states[b].cost {
			states[b] = state{cost, states[b-1].from}
		}
	}
}

// substitution returns the cost of hearing one symbol instead of another. If one of
// them is a boundary, it is the cost of a missing and an extra symbol.
func substitution(symbol, heard, boundary int) int32 {
	switch {
	case symbol == heard:
		return 0
	case symbol == boundary || heard == boundary:
		return costInside + costBoundary
	default:
		return costWrong
	}
}

// trace follows the moves back through the rows and returns the pieces in order.
func trace(rows []*row, heard []ctc.Span, boundary int) []piece {
	var pieces []piece
	b := len(heard)
	for w := len(rows) - 1; w >= 0; w-- {
		r := rows[w]
		for b > 0 && r.by[b] != byWord {
			if r.by[b] == byBoundary {
				b--
				continue
			}
			to := b
			if heard[b-1].Symbol == boundary {
				to--
			}
			from := to
			for !r.opened[from] {
				from--
			}
			from--
			pieces = append(pieces, piece{word: -1, from: from, to: to})
			b = from
		}
		if w > 0 {
			a := r.arrive[b]
			pieces = append(pieces, piece{word: w - 1, reading: int(a.reading), from: int(a.from), to: b, said: a.said})
			b = int(a.from)
		}
	}
	for i, j := 0, len(pieces)-1; i < j; i, j = i+1, j-1 {
		pieces[i], pieces[j] = pieces[j], pieces[i]
	}
	return pieces
}
