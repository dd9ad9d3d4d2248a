package scoring

import (
	"context"
	"math"

	"github.com/lexilingo/modelgateway/engines/hubert/ctc"
)

// Costs of the comparison of a text with what was heard. A symbol that is
// missing or too much inside a word costs twice what it costs with a whole word,
// and one for another more than both: a word that is more wrong than right is so
// taken for another word.
const (
	costSymbol   = 2 // left out or put in with a whole word
	costInside   = 4 // missing or too much inside a word
	costWrong    = 5 // another one inside a word
	costBoundary = 1 // of words, inside a word or missing in it
	costGlued    = 4 // an inserted word that no boundary sets apart, for each side
)

const unreachable = math.MaxInt32

// piece is a part of the comparison, in the order of the text and of time.
type piece struct {
	// word is the index of the reference word, or -1 for an insertion.
	word int
	// reading is the index of the way in which it was said.
	reading int
	// from and to bound what was heard for it; equal for an omission.
	from, to int
	said     bool
}

// match compares the reference words with what was heard, for the least cost. It
// is an edit distance on two levels: words are left out, put in, or paired with
// something that was heard, and pairs are compared symbol by symbol.
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
		current.outside, current.inside = nil, nil // the way back needs no costs
		current = next
	}
	current.insert(heard, boundary)
	rows = append(rows, current)
	return trace(rows, heard, boundary), nil
}

// arrival is the cheapest way to have dealt with a number of words and of heard
// symbols, where the last of it was a word.
type arrival struct {
	cost    int32
	from    int32 // heard symbols before the word
	reading int32
	said    bool
}

// row holds the costs after a number of words, for each number of heard symbols.
type row struct {
	arrive []arrival
	// outside is the cost between words, inside the cost in the middle of an
	// insertion.
	outside, inside []int32
	// How outside and inside came to be.
	by     []move
	opened []bool
}

// move says how a place between words was reached.
type move uint8

const (
	byWord     move = iota // right after a word
	byBoundary             // over a boundary that was heard
	byInserted             // at the end of an insertion
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

// insert adds what is heard between words.
func (r *row) insert(heard []ctc.Span, boundary int) {
	for b := range r.arrive {
		r.outside[b], r.by[b] = r.arrive[b].cost, byWord
		if b > 0 && heard[b-1].Symbol == boundary {
			if r.outside[b-1] < r.outside[b] {
				r.outside[b], r.by[b] = r.outside[b-1], byBoundary
			}
			r.inside[b] = unreachable // an insertion ends with its word
			if r.inside[b-1] < r.outside[b] {
				r.outside[b], r.by[b] = r.inside[b-1], byInserted
			}
		} else if b > 0 {
			r.extend(heard, boundary, b)
		}
	}
}

// extend puts the heard symbol before b into an insertion.
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

// next deals with one more word: it is left out, or said in one of its ways.
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

// length counts the symbols of a reading without its boundaries.
func length(reading []int, boundary int) int {
	n := 0
	for _, k := range reading {
		if k != boundary {
			n++
		}
	}
	return n
}

// state is the cheapest way to be at some place inside a word.
type state struct{ cost, from int32 }

// pair compares a reading with everything that was heard.
func (r *row) pair(out *row, reading []int, index int32, heard []ctc.Span, boundary int) {
	current, next := make([]state, len(heard)+1), make([]state, len(heard)+1)
	for b := range current {
		current[b] = state{r.outside[b], int32(b)} //nolint:gosec // frames
	}
	tooMuch(current, heard, boundary, false)
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
		tooMuch(next, heard, boundary, i+1 < len(reading))
		current, next = next, current
	}
	for b, s := range current {
		// What is as cheap as leaving the word out is another word.
		if s.cost < out.arrive[b].cost {
			out.arrive[b] = arrival{cost: s.cost, from: s.from, reading: index, said: true}
		}
	}
}

// tooMuch lets symbols be heard that the word does not have there.
func tooMuch(states []state, heard []ctc.Span, boundary int, inside bool) {
	for b := 1; b < len(states); b++ {
		extra := int32(costInside)
		if heard[b-1].Symbol == boundary {
			extra = costBoundary
			if !inside {
				continue // it belongs between the words
			}
		}
		if cost := add(states[b-1].cost, extra); cost < states[b].cost {
			states[b] = state{cost, states[b-1].from}
		}
	}
}

// substitution is the cost of hearing one symbol for another. It is never less
// than leaving out the one and putting in the other, for boundaries.
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

// trace goes back over the rows and returns the pieces in order.
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
