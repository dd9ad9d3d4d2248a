// Package agreement turns successive hypotheses about a growing stretch of audio,
// which may differ, into a text whose words are never withdrawn. It implements
// LocalAgreement-2 (Liu et al., Interspeech 2020; Macháček et al., "Turning Whisper
// into Real-Time Transcription System", 2023): the common beginning of two successive
// hypotheses is committed, up to the first word that is not likely.
package agreement

import (
	"time"

	"github.com/lexilingo/modelgateway/engines/whisper/transcript"
)

// Text is the text of a stream. The zero value is an empty text.
type Text struct {
	committed []transcript.Word // since the last final segment
	tentative []transcript.Word // the words of the last hypothesis after those
	latest    hypothesis
}

// hypothesis is the last hypothesis, aligned with the committed words.
type hypothesis struct {
	segments []transcript.Segment
	// place maps the index of each word of the hypothesis, and the end of the last,
	// to the number of committed and tentative words before it.
	place []int
}

// minConfidence is the confidence below which a word is not committed: the end of what
// somebody says may change it, however often it was heard before.
const minConfidence = 0.5

// Update adds a new hypothesis about all audio since the last final segment.
func (t *Text) Update(segments []transcript.Segment) {
	words := wordsOf(segments)
	covered, place := align(t.committed, words)
	tail := words[covered:]
	agreed := 0
	for agreed < min(len(tail), len(t.tentative)) && tail[agreed].Text == t.tentative[agreed].Text && tail[agreed].Confidence >= minConfidence {
		agreed++
	}
	t.committed = append(t.committed, tail[:agreed]...)
	t.tentative = tail[agreed:]
	t.latest = hypothesis{segments: segments, place: place}
}

// Committed returns the text since the last final segment that will not change.
func (t *Text) Committed() string { return transcript.Join(t.committed) }

// Tentative returns the text after Committed, which may change. It begins with the
// space between the two, if there is one: Committed and Tentative together are the text
// since the last final segment.
func (t *Text) Tentative() string {
	text := transcript.Join(t.tentative)
	if len(t.committed) > 0 && len(t.tentative) > 0 && !t.tentative[0].Glued {
		return " " + text
	}
	return text
}

// Trim returns the segments of the last hypothesis of which all words are committed,
// and removes them from the text: they are final. The next hypothesis must be about
// the audio after end only. If there are no such segments, Trim returns none.
func (t *Text) Trim() (final []transcript.Segment, end time.Duration) {
	if len(t.latest.segments) == 0 {
		return nil, 0
	}
	return t.finalize(len(t.committed))
}

// Force commits all segments of the last hypothesis except the last, or all if there
// is only one, and then does what Trim does. whisper.cpp does the same at the end of
// a full window.
func (t *Text) Force() (final []transcript.Segment, end time.Duration) {
	segments := t.latest.segments
	if len(segments) == 0 {
		if len(t.committed) == 0 {
			return nil, 0
		}
		// The last hypothesis is empty.
		final = t.Finish()
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
	return t.finalize(upTo)
}

// finalize removes the first upTo committed words, as far as they fill whole segments
// of the last hypothesis, and returns them as final segments.
func (t *Text) finalize(upTo int) (final []transcript.Segment, end time.Duration) {
	segments, words := 0, 0 // of the hypothesis, that are final
	from := 0               // committed words that are final
	for _, s := range t.latest.segments {
		place := t.latest.place[words+len(s.Words)]
		if place > upTo {
			break
		}
		if place > from {
			final = append(final, withWords(s, t.committed[from:place]))
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

// Finish returns all segments since the last final one. They consist of the committed
// words and the words of the last hypothesis after those. A segment whose words do not
// differ from those of the hypothesis is returned unchanged.
func (t *Text) Finish() []transcript.Segment {
	segments := t.latest.segments
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
			final = append(final, withWords(s, all[from:to]))
		}
		from = max(from, to)
	}
	if from < len(all) { // the hypothesis has no segments
		final = append(final, withWords(transcript.Segment{Start: all[from].Start, End: all[len(all)-1].End}, all[from:]))
	}
	return final
}

// withWords returns s with these words. If they are the words of s, it returns s
// unchanged.
func withWords(s transcript.Segment, words []transcript.Word) transcript.Segment {
	if sameTexts(s.Words, words) {
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

func sameTexts(a, b []transcript.Word) bool {
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
