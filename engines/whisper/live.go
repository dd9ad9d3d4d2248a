package whisper

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/whisper/agreement"
	"github.com/lexilingo/modelgateway/engines/whisper/speech"
	"github.com/lexilingo/modelgateway/engines/whisper/transcript"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const (
	// bufferSamples is the maximum length of the buffer: a window.
	bufferSamples = windowSeconds * speech.Rate
	// fullSamples is the length from which on the buffer counts as full. It leaves
	// room for another pass, with which the last one may agree.
	fullSamples = bufferSamples - 2*speech.Rate
	// silenceKept is how much is kept of a buffer without speech.
	silenceKept = speech.Rate
	// A pass waits until restShare times as much audio is new as arrived during the last one,
	// but not for more than longestStep: passes take at most four fifths of the time, so that
	// there is processor time for others.
	restShare   = 1.25
	longestStep = 2 * speech.Rate
	// listenSamples is how much audio arrives before it is decided again what to do.
	listenSamples = speech.Rate / 10
	// A phrase ends after longPause; if it is longer than shortPhrase, after shortPause; if it
	// is longer than longPhrase, as soon as nobody speaks.
	longPause, shortPause   = 700 * time.Millisecond, 400 * time.Millisecond
	shortPhrase, longPhrase = 5 * speech.Rate, 8 * speech.Rate
)

// live transcribes audio while it arrives. A pass transcribes the buffer, which holds
// the audio that is not final yet. Positions are numbers of samples from the beginning of
// the stream.
type live struct {
	*transcription
	text   agreement.Text
	voice  *voice
	buffer []float32
	start  time.Duration // of the buffer in the audio
	tried  int           // where the audio of the last pass ended
	heard  int           // where the audio ends that the text is about
	told   int           // where the audio of the last interim result ended
	missed int           // how much audio arrived during the last pass
	// lastInput is the number of samples of the buffer that the last pass gave to the
	// model; 0 if it gave none or if the buffer was cut since.
	lastInput int
	// certain is the number of passes in a row that were certain of the language.
	certain int
	// nothing reports whether the last hypothesis is empty.
	nothing bool
}

// live transcribes audio while it arrives and emits interim results.
func (t *transcription) live(ctx context.Context, reader *audio.Reader) error {
	in := newInbox()
	go in.pump(ctx, reader)
	return newLive(t).run(ctx, in)
}

func newLive(t *transcription) *live { return &live{transcription: t, voice: newVoice()} }

// arrivals are the audio that arrives: an inbox.
type arrivals interface {
	take(ctx context.Context, minimum, maximum int) (samples []float32, ended bool, err error)
}

// run transcribes the audio that arrives.
func (l *live) run(ctx context.Context, in arrivals) error {
	for {
		// If nothing waits for audio, in does not see the end of ctx.
		if err := ctx.Err(); err != nil {
			return err
		}
		more, ended, err := in.take(ctx, listenSamples, bufferSamples-len(l.buffer))
		if err != nil {
			return err
		}
		l.add(more)
		if l.tried == l.received-len(more) {
			l.missed = len(more)
		}
		if ended {
			return l.finish()
		}
		if err := l.listen(); err != nil {
			return err
		}
	}
}

func (l *live) add(samples []float32) {
	l.buffer = append(l.buffer, samples...)
	l.received += len(samples)
	l.voice.add(samples)
}

// listen does what the audio so far asks for: a pass, an interim result, the end of a
// phrase.
func (l *live) listen() error {
	ended, due := l.phraseEnded(), l.due()
	if due || ended && l.unheard() {
		if err := l.pass(ended || l.mustUnderstand()); err != nil {
			return err
		}
	}
	switch {
	case ended:
		if err := l.endPhrase(); err != nil {
			return err
		}
	case l.voice.spoken <= l.received-len(l.buffer) && len(l.buffer) > 2*silenceKept:
		l.dropBefore(l.start + speech.Duration(len(l.buffer)-silenceKept))
	}
	if due || ended || l.received-l.told >= l.step() {
		return l.tell()
	}
	return nil
}

func (l *live) step() int { return l.model.parameters.StepMS * speech.Rate / 1000 }

// due reports whether a pass is worth its cost: something was said since the last one,
// and enough of it or all of it.
func (l *live) due() bool {
	step := max(l.step(), min(int(restShare*float64(l.missed)), longestStep))
	if !l.voice.speaking {
		step = l.step() / 2
	}
	return l.unheard() && (l.received-l.voice.began >= step || len(l.buffer) >= fullSamples)
}

// unheard reports whether something was said that the text is not about. The end of a word
// may be softer than speech is, so that some audio after it must be heard too.
func (l *live) unheard() bool {
	spoken := l.voice.spoken + speech.Index(anySpeech.Silence)
	return l.voice.spoken > 0 && l.heard < min(l.received, spoken)
}

// phraseEnded reports whether somebody has spoken and then paused.
func (l *live) phraseEnded() bool {
	if l.voice.speaking || l.voice.spoken <= l.received-len(l.buffer) {
		return false
	}
	pause := longPause
	switch {
	case len(l.buffer) > longPhrase:
		pause = anySpeech.Silence
	case len(l.buffer) > shortPhrase:
		pause = shortPause
	}
	return l.received-l.voice.spoken >= speech.Index(pause) || len(l.buffer) >= fullSamples
}

// mustUnderstand reports whether the buffer is so long that its audio is removed if the
// model does not understand it now.
func (l *live) mustUnderstand() bool {
	// What is kept of the phrase before, or of silence, was heard.
	unheard := l.heard <= l.received-len(l.buffer)+silenceKept
	return unheard && len(l.buffer) >= l.model.parameters.TrimSeconds*speech.Rate || len(l.buffer) >= fullSamples
}

// endPhrase makes all text final and removes the audio that it is about.
func (l *live) endPhrase() error {
	// The next phrase may have begun where voice does not tell yet.
	heard := max(l.voice.spoken, min(l.heard, l.received-speech.Index(l.voice.detector.StartDelay())))
	end := l.start + speech.Duration(heard-(l.received-len(l.buffer)))
	for _, s := range l.text.Finish() {
		// A stream that resumes after the segment must hear all audio from end on.
		if err := l.emitSegment(s.Until(end)); err != nil {
			return err
		}
	}
	l.dropBefore(end)
	l.voice.length = 0
	return nil
}

// pass transcribes the buffer. last reports whether no other pass will have its audio.
func (l *live) pass(last bool) error {
	c := &clip{samples: l.buffer, start: l.start}
	hasSpeech, err := l.prepare(c)
	if err != nil {
		return err
	}
	l.tried = l.received
	l.voice.next()
	if l.sameInput(c) {
		l.heard = l.received
		return l.trim()
	}
	segments, understood, err := l.hypothesis(c, hasSpeech, last)
	if err != nil {
		return err
	}
	if !understood {
		return nil
	}
	l.text.Update(segments)
	l.heard, l.nothing = l.received, len(segments) == 0
	return l.trim()
}

// tell emits an interim result.
func (l *live) tell() error {
	l.told = l.received
	return l.emit(&gatewayv1.TranscriptionEvent{
		Event: &gatewayv1.TranscriptionEvent_Interim{Interim: &gatewayv1.InterimTranscript{
			CommittedText:  l.text.Committed(),
			TentativeText:  l.text.Tentative(),
			AudioProcessed: durationpb.New(speech.Duration(l.received)),
		}},
		Offset: &gatewayv1.TranscriptionOffset{CommittedTime: durationpb.New(l.start)},
	})
}

// trim removes final segments or silence from the beginning of a long buffer.
func (l *live) trim() error {
	if len(l.buffer) < l.model.parameters.TrimSeconds*speech.Rate {
		return nil
	}
	if l.nothing && l.text.Committed() == "" {
		l.dropBefore(l.start + speech.Duration(len(l.buffer)-silenceKept))
		return nil
	}
	final, end := l.text.Trim()
	if len(l.buffer) >= fullSamples {
		final, end = l.force(final, end)
	}
	for _, s := range final {
		if err := l.emitSegment(s); err != nil {
			return err
		}
	}
	if end > 0 {
		l.dropBefore(end)
	}
	return nil
}

// minTrim is the minimum length that is removed from a full buffer. Each pass costs a
// whole window, and very short segments would cause many passes.
const minTrim = time.Second

// force makes more segments final until at least minTrim of a full buffer can be
// removed. It returns all final segments and the time before which to remove.
func (l *live) force(final []transcript.Segment, end time.Duration) ([]transcript.Segment, time.Duration) {
	for end < l.start+minTrim {
		more, at := l.text.Force()
		if at == 0 { // no more segments
			return final, l.start + speech.Duration(len(l.buffer)-silenceKept)
		}
		final, end = append(final, more...), max(end, at)
	}
	return final, end
}

// dropBefore removes the audio before a time from the buffer.
func (l *live) dropBefore(to time.Duration) {
	samples := min(max(0, speech.Index(to-l.start)), len(l.buffer))
	// A copy, because an abandoned computation may still read the old buffer.
	l.buffer = slices.Clone(l.buffer[samples:])
	l.start += speech.Duration(samples)
	l.omitted = l.omitted || l.uncertain
	l.lastInput = 0
}

// finish transcribes the rest of the audio, if anything was said that is not heard, and
// emits the final segments and the transcript.
func (l *live) finish() error {
	l.voice.speaking = false
	if l.unheard() || l.heard == 0 {
		if err := l.pass(true); err != nil {
			return err
		}
	}
	l.omitted = l.omitted || l.uncertain
	if err := l.endPhrase(); err != nil {
		return err
	}
	return l.emitFinal()
}
