package piper

import (
	"context"
	"errors"

	"github.com/lexilingo/modelgateway/engines/piper/phonemes"
	"github.com/lexilingo/modelgateway/engines/piper/phonemiser"
)

// word is when a word is spoken, in samples from its sentence's beginning.
type word struct {
	text     string
	from, to int
}

// words finds when the words of a sentence are spoken, of voices that tell the
// durations of their ids.
func (m *model) words(ctx context.Context, sentence phonemes.Sentence, ids phonemes.IDs, durations []int) ([]word, error) {
	if durations == nil {
		return nil, nil
	}
	found, err := phonemes.Words(ctx, m.translate, m.voice.config, sentence)
	if errors.Is(err, phonemiser.ErrUnreadable) {
		return nil, nil // a word by itself; the sentence is spoken
	}
	if err != nil {
		return nil, err
	}
	starts, ends := symbolTimes(len(sentence.Symbols), ids, durations)
	words := make([]word, 0, len(found))
	for _, w := range found {
		if from, to := starts[w.From], ends[w.To-1]; to > from {
			words = append(words, word{text: w.Text, from: from, to: to})
		}
	}
	return words, nil
}

// symbolTimes returns when each symbol begins and ends; one that the voice leaves
// out takes no time where it would have been.
func symbolTimes(symbols int, ids phonemes.IDs, durations []int) (starts, ends []int) {
	starts, ends = make([]int, symbols), make([]int, symbols)
	now, next := 0, 0
	for i, d := range durations {
		if of := ids.Of[i]; of >= 0 {
			for ; next <= of; next++ {
				starts[next], ends[next] = now, now
			}
			ends[of] = now + d
		}
		now += d
	}
	for ; next < symbols; next++ {
		starts[next], ends[next] = now, now
	}
	return starts, ends
}
