package piper

import (
	"context"
	"errors"

	"github.com/lexilingo/modelgateway/engines/piper/phonemes"
	"github.com/lexilingo/modelgateway/engines/piper/phonemiser"
)

// word is the time of a word, in samples from the beginning of its sentence.
type word struct {
	text     string
	from, to int
}

// words returns the times of the words of a sentence. It returns none if the voice
// does not return the durations of its ids.
func (m *model) words(ctx context.Context, sentence phonemes.Sentence, ids phonemes.IDs, durations []int) ([]word, error) {
	if durations == nil {
		return nil, nil
	}
	found, err := phonemes.Words(ctx, m.translate, m.voice.config, sentence)
	if errors.Is(err, phonemiser.ErrUnreadable) {
		return nil, nil // one of the words, translated separately; the sentence can be spoken
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

// symbolTimes returns the beginning and the end of each symbol. A symbol without an
// id has no duration.
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
