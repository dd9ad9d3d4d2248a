package openai

import (
	"context"
	"slices"
	"time"

	"github.com/lexilingo/modelgateway/engines/voiceactivity"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const (
	// minCommit is the shortest turn that a client may commit.
	minCommit = 100 * time.Millisecond
	// maxUnspoken is how much audio is kept for the client to commit if nobody speaks
	// in it.
	maxUnspoken = 30 * time.Second
	// maxPause is what is kept of the end of longer audio: with what may be the
	// beginning of a word that is not found yet.
	maxPause = 500 * time.Millisecond
)

// anySpeech is what speech is where the client commits its turns: the model is not asked
// before it.
var anySpeech = voiceactivity.Options{Threshold: 0.3, Silence: time.Second}

// audioBuffer is the audio of a session that is not committed yet.
type audioBuffer struct {
	rate     int // of the samples, in Hz
	detector *voiceactivity.Detector
	manual   bool   // the client commits
	padding  int    // bytes before the beginning of speech that belong to its turn
	rest     []byte // the beginning of a frame
	before   []byte // the last audio without speech
	unspoken []byte // of a turn that the client commits, until somebody speaks
	heard    int    // bytes of all whole frames
	fresh    int    // bytes of those that came after the last commit
	turn     *turn  // nil: none has begun
}

// turn is speech from its beginning to its commit: an item.
type turn struct {
	item    string
	config  *gatewayv1.TranscriptionConfig
	ctx     context.Context // ends if the turn is cleared
	cancel  context.CancelFunc
	started bool // whether it is transcribed, and its audio waits in the queue
}

// turnPart is audio of a turn, or its end.
type turnPart struct {
	turn  *turn
	audio []byte
	end   bool
}

// configure adapts the buffer to a session.
func (b *audioBuffer) configure(s *realtimeSession) {
	rate := s.format.rate()
	if rate != b.rate {
		heard := int64(b.heard) * int64(rate) / int64(max(1, b.rate))
		*b = audioBuffer{rate: rate, heard: int(heard), detector: voiceactivity.New(rate, anySpeech)}
	}
	b.manual = s.detection == nil
	if b.manual {
		b.before = nil
		b.detector.Set(anySpeech)
		return
	}
	b.detector.Set(s.detection.options())
	b.padding = b.bytes(time.Duration(s.detection.PaddingMS)*time.Millisecond + b.detector.StartDelay())
}

// bytes is the size of samples of a duration.
func (b *audioBuffer) bytes(d time.Duration) int { return 2 * int(d.Seconds()*float64(b.rate)) }

// milliseconds is when, in the audio of the session, so many bytes had come.
func (b *audioBuffer) milliseconds(bytes int) int64 { return int64(bytes) * 500 / int64(b.rate) }

// hear takes samples. It does not copy them, as they may be many.
func (s *realtime) hear(samples []byte) error {
	b := &s.buffer
	if n := b.detector.FrameBytes() - len(b.rest); len(b.rest) > 0 && n <= len(samples) {
		first := slices.Concat(b.rest, samples[:n])
		b.rest, samples = nil, samples[n:]
		if err := s.hearFrames(first); err != nil {
			return err
		}
	}
	whole := len(samples) - len(samples)%b.detector.FrameBytes()
	b.rest = append(b.rest, samples[whole:]...)
	return s.hearFrames(samples[:whole])
}

// hearFrames takes whole frames.
func (s *realtime) hearFrames(samples []byte) error {
	b := &s.buffer
	b.fresh += len(samples)
	switch {
	case len(samples) == 0:
		return nil
	case b.manual:
		return s.collect(samples)
	}
	return s.detect(samples)
}

// collect takes whole frames for the client to commit.
func (s *realtime) collect(samples []byte) error {
	b := &s.buffer
	if b.turn == nil {
		s.begin()
	}
	from := 0 // where the samples begin that are not kept yet
	for at := 0; at < len(samples); at += b.detector.FrameBytes() {
		frame := samples[at : at+b.detector.FrameBytes()]
		b.heard += len(frame)
		speaks := b.detector.Add(frame)
		switch {
		case b.turn.started:
		case speaks:
			if err := s.start(); err != nil {
				return err
			}
			from = at
		default:
			s.keep(frame)
		}
	}
	if !b.turn.started {
		return nil
	}
	return s.put(samples[from:])
}

// keep keeps audio in which nobody speaks for the client to commit, as far as there is
// memory. Of more, it keeps the end.
func (s *realtime) keep(frame []byte) {
	b := &s.buffer
	b.unspoken = append(b.unspoken, frame...)
	pause := max(0, len(b.unspoken)-b.bytes(maxPause))
	switch {
	case len(b.unspoken) > b.bytes(maxUnspoken):
		b.unspoken = slices.Delete(b.unspoken, 0, pause)
	case pause > 0 && !s.memory.Grow(int64(cap(b.unspoken))):
		b.unspoken = slices.Clone(b.unspoken[pause:])
		s.memory.Shrink(0)
	}
}

// forget drops what keep has kept.
func (s *realtime) forget() {
	s.buffer.unspoken = nil
	s.memory.Shrink(0)
}

// detect finds turns in whole frames.
func (s *realtime) detect(samples []byte) error {
	b, from := &s.buffer, 0 // where the samples of the turn begin that were not put yet
	for at := 0; at < len(samples); at += b.detector.FrameBytes() {
		frame := samples[at : at+b.detector.FrameBytes()]
		b.heard += len(frame)
		speaks := b.detector.Add(frame)
		switch {
		case b.turn == nil && speaks:
			if err := s.speechStarted(); err != nil {
				return err
			}
			from = at
		case b.turn == nil:
			b.before = append(b.before, frame...)
			if len(b.before) > 2*b.padding {
				b.before = slices.Clone(b.before[len(b.before)-b.padding:])
			}
		case !speaks:
			if err := s.put(samples[from : at+len(frame)]); err != nil {
				return err
			}
			if err := s.speechStopped(); err != nil {
				return err
			}
		}
	}
	if b.turn == nil {
		return nil
	}
	return s.put(samples[from:])
}

// speechStarted begins a turn with the audio before it was found.
func (s *realtime) speechStarted() error {
	b := &s.buffer
	s.begin()
	if err := s.start(); err != nil {
		return err
	}
	before := b.before[max(0, len(b.before)-b.padding):]
	b.before = nil
	start := b.heard - b.detector.FrameBytes() - len(before)
	err := s.send("input_audio_buffer.speech_started", map[string]any{"item_id": b.turn.item, "audio_start_ms": b.milliseconds(start)})
	if err != nil {
		return err
	}
	return s.put(before)
}

func (s *realtime) speechStopped() error {
	err := s.send("input_audio_buffer.speech_stopped", map[string]any{"item_id": s.buffer.turn.item, "audio_end_ms": s.buffer.milliseconds(s.buffer.heard)})
	if err != nil {
		return err
	}
	return s.commitTurn()
}

// commit ends the turn that has begun.
func (s *realtime) commit() error {
	b := &s.buffer
	if b.turn == nil || b.fresh+len(b.rest) < b.bytes(minCommit) {
		return errEmpty
	}
	if err := s.start(); err != nil {
		return err
	}
	half := len(b.rest) % 2 // of a sample
	if err := s.put(b.rest[:len(b.rest)-half]); err != nil {
		return err
	}
	b.rest = b.rest[len(b.rest)-half:]
	b.detector.Reset()
	return s.commitTurn()
}

// clear drops the audio that is not committed.
func (s *realtime) clear() error {
	b := &s.buffer
	b.rest, b.before, b.fresh = nil, nil, 0
	b.detector.Reset()
	if b.turn != nil {
		if err := s.drop(); err != nil {
			return err
		}
	}
	return s.send("input_audio_buffer.cleared", map[string]any{})
}

// drop ends the turn without a transcript.
func (s *realtime) drop() error {
	s.buffer.turn.cancel()
	if s.buffer.turn.started {
		return s.end()
	}
	s.buffer.turn = nil
	s.forget()
	return nil
}

// commitTurn tells the client of the item that the turn becomes, and ends its audio.
func (s *realtime) commitTurn() error {
	item, previous := s.buffer.turn.item, any(nil)
	if s.item != "" {
		previous = s.item
	}
	s.item, s.buffer.fresh = item, 0
	if err := s.send("input_audio_buffer.committed", map[string]any{"item_id": item, "previous_item_id": previous}); err != nil {
		return err
	}
	events := []string{"conversation.item.added", "conversation.item.done"}
	if s.old {
		events = []string{"conversation.item.created"}
	}
	for _, kind := range events {
		err := s.send(kind, map[string]any{"previous_item_id": previous, "item": map[string]any{
			"id": item, "object": "realtime.item", "type": "message", "status": completed, "role": "user",
			"content": []map[string]any{{"type": "input_audio", "transcript": nil}},
		}})
		if err != nil {
			return err
		}
	}
	return s.end()
}
