// Package agreement makes a text that never takes back a word out of hypotheses
// that do, by LocalAgreement-2 (Liu et al., Interspeech 2020; Macháček et al.,
// "Turning Whisper into Real-Time Transcription System", 2023): what two
// successive hypotheses about a growing stretch of audio begin with is committed.
package agreement

import (
	"time"

	"github.com/lexilingo/modelgateway/engines/whisper/transcript"
)

// Text is a stream's text. Its zero value is that of a stream's beginning.
type Text struct {
	committed []transcript.Word // since the last final segment
	tentative []transcript.Word // what the last hypothesis says after these
	latest    hypothesis
}

// hypothesis is the last one, aligned with what was committed.
type hypothesis struct {
	segments []transcript.Segment
	// place maps each of its words, and their end, to the number of words of this
	// text, committed and tentative, that stand before it.
	place []int
}

// Update takes a new hypothesis about all audio since the last final segment.
func (t *Text) Update(segments []transcript.Segment) {
	words := wordsOf(segments)
	covered, place := align(t.committed, words)
	tail := words[covered:]
	agreed := 0
	for agreed < min(len(tail), len(t.tentative)) && tail[agreed].Text == t.tentative[agreed].Text {
		agreed++
	}
	t.committed = append(t.committed, tail[:agreed]...)
	t.tentative = tail[agreed:]
	t.latest = hypothesis{segments: segments, place: place}
}

// Committed returns the text that will not change, since the last final segment.
func (t *Text) Committed() string { return transcript.Join(t.committed) }

// Tentative returns the text after that.
func (t *Text) Tentative() string { return transcript.Join(t.tentative) }

// Trim ends the segments of the last hypothesis that are committed to their last
// word. They are final then, and the next hypothesis is about the audio after end
// only. Without such segments it returns none.
func (t *Text) Trim() (final []transcript.Segment, end time.Duration) {
	if len(t.latest.segments) == 0 {
		return nil, 0
	}
	return t.cut(len(t.committed))
}

// Force commits the last hypothesis but for its last segment, or all of it if
// there is only one, and trims. That is what whisper does at the end of a window
// that is full.
func (t *Text) Force() (final []transcript.Segment, end time.Duration) {
	segments := t.latest.segments
	if len(segments) == 0 {
		if len(t.committed) == 0 {
			return nil, 0
		}
		// The hypothesis is that nothing is said any more.
		final = t.Finish(nil)
		return final, final[len(final)-1].End
	}
	count := 0
	for _, s := range segments[:max(1, len(segments)-1)] {
		count += len(s.Words)
	}
	upTo := t.latest.place[count]
	if more := upTo - len(t.committed); more > 0 {
		t.committed = append(t.committed, t.tentative[:more]...)
		t.tentative = t.tentative[more:]
	}
	return t.cut(upTo)
}

// cut makes final what lies in whole segments of the last hypothesis, up to a
// number of committed words.
func (t *Text) cut(upTo int) (final []transcript.Segment, end time.Duration) {
	segments, words, from := 0, 0, 0 // of the hypothesis, that are final; committed words that are
	for _, s := range t.latest.segments {
		place := t.latest.place[words+len(s.Words)]
		if place > upTo {
			break
		}
		if place > from {
			final = append(final, rebuilt(s, t.committed[from:place]))
		}
		segments, words, from, end = segments+1, words+len(s.Words), max(from, place), s.End
	}
	t.committed = append([]transcript.Word(nil), t.committed[from:]...)
	places := append([]int(nil), t.latest.place[words:]...)
	for i := range places {
		places[i] = max(0, places[i]-from)
	}
	t.latest = hypothesis{segments: t.latest.segments[segments:], place: places}
	return final, end
}

// Finish takes the last hypothesis and returns all segments since the last final
// one: what was committed as it is, and what follows as the hypothesis has it.
// Where the two agree, that is the hypothesis, to the letter.
func (t *Text) Finish(segments []transcript.Segment) []transcript.Segment {
	words := wordsOf(segments)
	covered, place := align(t.committed, words)
	all := append(append([]transcript.Word(nil), t.committed...), words[covered:]...)
	t.committed, t.tentative, t.latest = nil, nil, hypothesis{}
	var final []transcript.Segment
	from, word := 0, 0
	for i, s := range segments {
		word += len(s.Words)
		to := place[word]
		if i == len(segments)-1 {
			to = len(all)
		}
		if to > from {
			final = append(final, rebuilt(s, all[from:to]))
		}
		from = max(from, to)
	}
	if from < len(all) { // the hypothesis has no segments
		final = append(final, rebuilt(transcript.Segment{Start: all[from].Start, End: all[len(all)-1].End}, all[from:]))
	}
	return final
}

// rebuilt is a segment with other words; with the same ones it is unchanged.
func rebuilt(s transcript.Segment, words []transcript.Word) transcript.Segment {
	if same(s.Words, words) {
		return s
	}
	var sum float32
	for _, w := range words {
		sum += w.Confidence
	}
	s.Words = append([]transcript.Word(nil), words...)
	s.Text = " " + transcript.Join(words)
	s.Confidence = sum / float32(len(words))
	return s
}

func same(a, b []transcript.Word) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Text != b[i].Text {
			return false
		}
	}
	return true
}

func wordsOf(segments []transcript.Segment) []transcript.Word {
	var words []transcript.Word
	for _, s := range segments {
		words = append(words, s.Words...)
	}
	return words
}
