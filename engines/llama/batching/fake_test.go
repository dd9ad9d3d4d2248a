package batching

import (
	"fmt"
	"hash/fnv"
	"slices"
	"sync/atomic"
)

// fakeVocabulary is the number of tokens. endToken ends a generation, the others
// are letters.
const (
	fakeVocabulary = 50
	endToken       = Token(0)
)

type letters struct{}

func (letters) Piece(t Token) []byte { return []byte{byte('a' + t%26)} }
func (letters) Draft(string) []Token { return nil }
func (letters) IsEnd(t Token) bool   { return t == endToken }

// following is the fake model: the token after a sequence depends on all its
// tokens, or, for one that repeats itself, mostly on the last.
func following(tokens []Token) Token {
	if last := tokens[len(tokens)-1]; tokens[0]%2 == 1 && (last+Token(len(tokens)))%11 != 0 {
		return (last*7 + 3) % fakeVocabulary
	}
	h := fnv.New32a()
	for _, t := range tokens {
		_, _ = h.Write([]byte{byte(t), byte(t >> 8)})
	}
	return Token(h.Sum32() % fakeVocabulary)
}

// continuation returns what a generation must give, whatever else is computed.
func continuation(prompt []Token, limit int) []Token {
	tokens := slices.Clone(prompt)
	for range limit {
		t := following(tokens)
		tokens = append(tokens, t)
		if t == endToken {
			break
		}
	}
	return tokens[len(prompt):]
}

// continuationWithoutEnd is the same for the vocabulary endless.
func continuationWithoutEnd(prompt []Token, n int) []Token {
	tokens := slices.Clone(prompt)
	for range n {
		tokens = append(tokens, following(tokens))
	}
	return tokens[len(prompt):]
}

// fakeExecutor has a cache like llama.cpp's: cells with a token and a position,
// which sequences share. It checks every batch as llama.cpp does.
type fakeExecutor struct {
	capacity int
	partial  bool // prefixes can be kept
	cells    map[*fakeCell]bool
	rows     map[int][]*fakeCell // by sequence, by position
	outputs  map[int]Token       // of the last batch, by index
	computed atomic.Int64        // tokens

	// onDecode may fail, abort or refuse a batch before it is computed.
	onDecode func(batch []Input) (Outcome, error)
	aborted  atomic.Bool
	// abortCalled gets a value when Abort is called, if it has room.
	abortCalled chan struct{}
	problem     error // the first misuse
}

type fakeCell struct {
	token   Token
	holders int
}

func newFake(capacity int, partial bool) *fakeExecutor {
	return &fakeExecutor{capacity: capacity, partial: partial, cells: map[*fakeCell]bool{}, rows: map[int][]*fakeCell{}, abortCalled: make(chan struct{}, 1)}
}

func (f *fakeExecutor) misuse(format string, args ...any) {
	if f.problem == nil {
		f.problem = fmt.Errorf(format, args...)
	}
}

func (f *fakeExecutor) Decode(batch []Input) (Outcome, error) {
	outcome, err := Decoded, error(nil)
	if f.onDecode != nil {
		outcome, err = f.onDecode(batch)
	}
	if outcome == NoRoom {
		return outcome, err
	}
	if f.aborted.Load() {
		outcome = Aborted
	}
	if outcome == Aborted || err != nil {
		batch = batch[:len(batch)/2] // only a part was computed
	}
	f.outputs = map[int]Token{}
	for i, in := range batch {
		row := f.rows[in.Sequence]
		if in.Position != len(row) {
			f.misuse("sequence %d has %d tokens, and the next position is %d", in.Sequence, len(row), in.Position)
		}
		if len(f.cells) >= f.capacity {
			f.misuse("the cache of %d cells is too small", f.capacity)
		}
		c := &fakeCell{token: in.Token, holders: 1}
		f.cells[c] = true
		f.rows[in.Sequence] = append(row, c)
		if in.Output {
			f.outputs[i] = following(f.tokens(in.Sequence))
		}
	}
	f.computed.Add(int64(len(batch)))
	return outcome, err
}

func (f *fakeExecutor) tokens(sequence int) []Token {
	var out []Token
	for _, c := range f.rows[sequence] {
		out = append(out, c.token)
	}
	return out
}

func (f *fakeExecutor) Remove(sequence, from int) bool {
	row := f.rows[sequence]
	if from >= len(row) {
		return true
	}
	if from > 0 && !f.partial {
		return false
	}
	for _, c := range row[from:] {
		if c.holders--; c.holders == 0 {
			delete(f.cells, c)
		}
	}
	f.rows[sequence] = row[:from:from]
	return true
}

func (f *fakeExecutor) Copy(source, to, from, end int) {
	if !f.partial {
		f.misuse("a copy of a part")
	}
	if len(f.rows[to]) != from || len(f.rows[source]) < end || from >= end {
		f.misuse("copy of [%d, %d) from %d tokens to %d tokens", from, end, len(f.rows[source]), len(f.rows[to]))
		return
	}
	for _, c := range f.rows[source][from:end] {
		c.holders++
		f.rows[to] = append(f.rows[to], c)
	}
}

func (f *fakeExecutor) Abort() {
	f.aborted.Store(true)
	select {
	case f.abortCalled <- struct{}{}:
	default:
	}
}

func (f *fakeExecutor) ClearAbort() { f.aborted.Store(false) }

// fakeSampler records what it chose.
type fakeSampler struct {
	executor *fakeExecutor
	chosen   []Token
	accepted []Token
	closed   atomic.Int32
	probs    bool
	forced   func(chosen []Token) (string, Token) // what the grammar forces; may be nil
}

func (s *fakeSampler) Accept(t Token) { s.accepted = append(s.accepted, t) }

func (s *fakeSampler) Sample(index int) Token {
	t, ok := s.executor.outputs[index]
	if !ok {
		s.executor.misuse("index %d has no output", index)
	}
	s.chosen = append(s.chosen, t)
	return t
}

func (s *fakeSampler) Logprobs(_ int, t Token) *Logprobs {
	if s.probs {
		return &Logprobs{Likelihood: Likelihood{Token: t, Logprob: -float32(t)}}
	}
	return nil
}

func (s *fakeSampler) Forced() (string, Token) {
	if s.forced == nil {
		return "", NoToken
	}
	return s.forced(s.chosen)
}

func (s *fakeSampler) Close() { s.closed.Add(1) }
