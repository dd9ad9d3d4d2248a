package api

import (
	"math"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const (
	// markDistance is the least distance of two marks, and maxMarks their number. If
	// there are more, every second one is dropped: a client then sends a little more
	// audio again.
	markDistance = 20 * time.Millisecond
	maxMarks     = 1024
	// committedText is how much of the final text an offset has, in bytes. Whisper uses
	// as much of it as the prompt of its next pass.
	committedText = 200
)

// progress is how far the words of a transcription are final. It tells the events
// which piece of audio that is, and has the beginning of the audio if another server
// had the transcription before.
type progress struct {
	frame, rate int64 // bytes of a sample of all channels, samples a second; 0: not raw PCM

	mu        sync.Mutex
	sequence  int64         // of the next piece
	begin     time.Duration // of the first piece, in the whole audio
	shift     time.Duration // of the first audio for the model, in the whole audio
	skip      int64         // bytes before that, which are still to come
	bytes     int64         // of the pieces so far
	marks     []mark        // pieces at which the audio can begin, in order
	distance  time.Duration // least distance of two marks
	committed time.Duration
	text      string // end of the final text
}

// mark is where a piece begins.
type mark struct {
	sequence int64
	at       time.Duration // in the whole audio
}

// newProgress returns the progress of a transcription that begins, and the config for
// its model: the audio that the model gets begins where the words are not final.
func newProgress(cfg *gatewayv1.TranscriptionConfig) (*progress, *gatewayv1.TranscriptionConfig, error) {
	p := &progress{distance: markDistance}
	p.frame, p.rate = frames(cfg.GetFormat())
	from := cfg.GetResumeFrom()
	if from == nil {
		return p, cfg, nil
	}
	p.sequence, p.begin = from.GetCommittedSequence(), from.GetSequenceStart().AsDuration()
	p.committed, p.text = from.GetCommittedTime().AsDuration(), from.GetCommittedText()
	p.shift = p.committed
	switch {
	case p.begin > p.committed:
		return nil, nil, errs.New(errs.InvalidRequest, "resume_from: committed_time (%v) is before sequence_start (%v): send the offset of the last event unchanged", p.committed, p.begin)
	case p.frame == 0 && (p.sequence > 0 || p.begin > 0):
		return nil, nil, errs.New(errs.InvalidRequest, "resume_from: only raw PCM can be sent from piece %d on; send other formats from their beginning, with committed_sequence 0", p.sequence)
	}
	cfg = proto.CloneOf(cfg)
	if p.text != "" {
		cfg.InitialPrompt = p.text
	}
	if p.frame > 0 {
		p.skip = int64(math.Round((p.committed-p.begin).Seconds()*float64(p.rate))) * p.frame
		// The rest is done here, for every engine.
		cfg.ResumeFrom = &gatewayv1.TranscriptionOffset{CommittedText: p.text}
	}
	return p, cfg, nil
}

// frames returns the bytes of one sample of all channels of raw PCM, and the samples
// a second; 0 for other formats.
func frames(format *gatewayv1.AudioFormat) (frame, rate int64) {
	width := int64(0)
	switch format.GetEncoding() {
	case gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE:
		width = 2
	case gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_F32LE:
		width = 4
	default:
		return 0, 0
	}
	rate = int64(format.GetSampleRateHertz())
	if rate == 0 {
		rate = 16000
	}
	return width * int64(max(1, format.GetChannelCount())), rate
}

// take counts the next piece of audio, and returns what of it the model gets.
func (p *progress) take(piece []byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mark()
	p.sequence++
	p.bytes += int64(len(piece))
	n := min(p.skip, int64(len(piece)))
	p.skip -= n
	return piece[n:]
}

// mark remembers where the next piece begins. The caller holds mu.
func (p *progress) mark() {
	if p.frame == 0 || p.bytes%p.frame != 0 {
		return
	}
	n := p.bytes / p.frame
	at := p.begin + time.Duration(n/p.rate)*time.Second + time.Duration(n%p.rate)*time.Second/time.Duration(p.rate)
	if last := len(p.marks) - 1; last >= 0 && at < p.marks[last].at+p.distance {
		return
	}
	if len(p.marks) == maxMarks {
		p.distance *= 2
		for i := range maxMarks / 2 {
			p.marks[i] = p.marks[2*i]
		}
		p.marks = p.marks[:maxMarks/2]
	}
	p.marks = append(p.marks, mark{p.sequence, at})
}

// stamp returns an event with its times in the whole audio, and the offset after it.
func (p *progress) stamp(event *gatewayv1.TranscriptionEvent) *gatewayv1.TranscriptionEvent {
	p.mu.Lock()
	defer p.mu.Unlock()
	event = proto.CloneOf(event) // engines in this process may use its parts again
	end := event.GetOffset().GetCommittedTime().AsDuration() + p.shift
	if s := event.GetSegment(); s != nil {
		p.shiftSegment(s)
		end = max(end, s.GetEnd().AsDuration())
		p.text = textEnd(p.text + " " + s.GetText())
	}
	if i := event.GetInterim(); i.GetAudioProcessed() != nil {
		i.AudioProcessed = p.shifted(i.GetAudioProcessed())
	}
	if f := event.GetFinal(); f != nil {
		for _, s := range f.GetSegments() {
			p.shiftSegment(s)
		}
		f.AudioDuration = p.shifted(f.GetAudioDuration())
	}
	p.committed = max(p.committed, end)
	event.Offset = p.offset()
	return event
}

func (p *progress) shiftSegment(s *gatewayv1.TranscriptSegment) {
	if p.shift == 0 {
		return
	}
	s.Start, s.End = p.shifted(s.GetStart()), p.shifted(s.GetEnd())
	for _, w := range s.GetWords() {
		w.Start, w.End = p.shifted(w.GetStart()), p.shifted(w.GetEnd())
	}
}

func (p *progress) shifted(d *durationpb.Duration) *durationpb.Duration {
	if p.shift == 0 {
		return d
	}
	return durationpb.New(d.AsDuration() + p.shift)
}

// offset returns how far the words are final, and forgets the marks before that. It
// is nil if none is. The caller holds mu.
func (p *progress) offset() *gatewayv1.TranscriptionOffset {
	if p.committed == 0 {
		return nil
	}
	for len(p.marks) > 1 && p.marks[1].at <= p.committed {
		p.marks = p.marks[1:]
	}
	o := &gatewayv1.TranscriptionOffset{CommittedTime: durationpb.New(p.committed), CommittedText: p.text}
	if len(p.marks) > 0 {
		o.CommittedSequence, o.SequenceStart = p.marks[0].sequence, durationpb.New(p.marks[0].at)
	}
	return o
}

// textEnd returns the end of a text, beginning with a whole word.
func textEnd(text string) string {
	text = strings.TrimSpace(text)
	if len(text) <= committedText {
		return text
	}
	text = strings.ToValidUTF8(text[len(text)-committedText:], "")
	if _, after, ok := strings.Cut(text, " "); ok {
		return after
	}
	return text
}
