package api

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func pcm(rate, channels int32) *gatewayv1.AudioFormat {
	return &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE, SampleRateHertz: rate, ChannelCount: channels}
}

func segmentEvent(text string, end time.Duration) *gatewayv1.TranscriptionEvent {
	return &gatewayv1.TranscriptionEvent{Event: &gatewayv1.TranscriptionEvent_Segment{
		Segment: &gatewayv1.TranscriptSegment{Text: text, End: durationpb.New(end)}}}
}

// begin begins a transcription with the given format and offset.
func begin(t *testing.T, format *gatewayv1.AudioFormat, from *gatewayv1.TranscriptionOffset) (*progress, *gatewayv1.TranscriptionConfig) {
	t.Helper()
	p, cfg, err := newProgress(&gatewayv1.TranscriptionConfig{Format: format, ResumeFrom: from, InitialPrompt: "first"})
	if err != nil {
		t.Fatal(err)
	}
	return p, cfg
}

// Whatever the pieces are and wherever the words are final, a client that sends the
// audio again from the offset gives the next model exactly the samples that are not
// final, and the times continue. This holds for a server after the next one, too.
func TestAudioAfterTheOffsetIsWhatIsNotFinal(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		format := pcm([]int32{0, 8000, 16000, 44100}[r.IntN(4)], []int32{0, 1, 2}[r.IntN(3)])
		frame, rate := frames(format)
		audio := make([]byte, 0, 20*rate*frame)
		for i := range uint64(cap(audio)) / 8 {
			audio = binary.LittleEndian.AppendUint64(audio, i)
		}
		var pieces [][]byte
		for rest := audio; len(rest) > 0; {
			n := min(len(rest), r.IntN(40_000))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		var offset *gatewayv1.TranscriptionOffset
		for range 3 {
			p, cfg := begin(t, format, offset)
			first := int(offset.GetCommittedSequence())
			final := offset.GetCommittedTime().AsDuration()
			sent := first + r.IntN(len(pieces)-first+1)
			var got []byte
			for _, piece := range pieces[first:sent] {
				got = append(got, p.take(piece)...)
			}
			skipped := int64(final.Seconds()*float64(rate)+0.5) * frame
			all := bytes.Join(pieces[:sent], nil)
			if want := all[min(skipped, int64(len(all))):]; !bytes.Equal(got, want) {
				t.Fatalf("seed %d: from %v, the model got %d bytes, want %d", seed, offset, len(got), len(want))
			}
			if (cfg.GetInitialPrompt() == "first") != (offset == nil) || cfg.GetResumeFrom().GetCommittedTime().AsDuration() != 0 {
				t.Fatalf("seed %d: the config is %v", seed, cfg)
			}
			heard := time.Duration(r.Int64N(int64(len(got))/frame+1)) * time.Second / time.Duration(rate)
			heard = heard.Truncate(10 * time.Millisecond)
			event := p.stamp(segmentEvent(fmt.Sprint(seed), heard))
			if end := event.GetSegment().GetEnd().AsDuration(); end != final+heard {
				t.Fatalf("seed %d: a segment ends at %v, want %v", seed, end, final+heard)
			}
			if heard > 0 {
				offset = event.GetOffset()
			}
		}
	}
}

// However small the pieces are, a server remembers a bounded number of them.
func TestMarksAreBounded(t *testing.T) {
	p, _ := begin(t, pcm(16000, 1), nil)
	for range 200_000 {
		p.take(make([]byte, 320)) // 10 ms
	}
	if len(p.marks) > maxMarks {
		t.Errorf("%d marks", len(p.marks))
	}
	o := p.stamp(segmentEvent("x", 1000*time.Second)).GetOffset()
	start := o.GetSequenceStart().AsDuration()
	if start > 1000*time.Second || start < 990*time.Second || o.GetCommittedSequence() != int64(start/(10*time.Millisecond)) {
		t.Errorf("offset %v", o)
	}
}

func TestOffsetOfEncodedAudio(t *testing.T) {
	p, _ := begin(t, nil, nil)
	if p.stamp(&gatewayv1.TranscriptionEvent{}).GetOffset() != nil {
		t.Error("an offset before any word")
	}
	p.take([]byte("piece"))
	o := p.stamp(segmentEvent("Hello.", time.Second)).GetOffset()
	if o.GetCommittedSequence() != 0 || o.GetCommittedTime().AsDuration() != time.Second || o.GetCommittedText() != "Hello." {
		t.Errorf("offset %v", o)
	}
	p, cfg := begin(t, nil, o)
	if got := p.take([]byte("piece")); string(got) != "piece" || cfg.GetResumeFrom().GetCommittedTime().AsDuration() != time.Second {
		t.Errorf("the engine gets %q and %v", got, cfg)
	}
	interim := &gatewayv1.TranscriptionEvent{
		Event:  &gatewayv1.TranscriptionEvent_Interim{Interim: &gatewayv1.InterimTranscript{AudioProcessed: durationpb.New(2 * time.Second)}},
		Offset: &gatewayv1.TranscriptionOffset{CommittedTime: durationpb.New(time.Second)},
	}
	got := p.stamp(interim)
	if got.GetInterim().GetAudioProcessed().AsDuration() != 3*time.Second || got.GetOffset().GetCommittedTime().AsDuration() != 2*time.Second {
		t.Errorf("%v", got)
	}
}

func TestInvalidOffsets(t *testing.T) {
	for name, c := range map[string]struct {
		format *gatewayv1.AudioFormat
		offset *gatewayv1.TranscriptionOffset
	}{
		"encoded audio from the middle": {nil, &gatewayv1.TranscriptionOffset{CommittedSequence: 1}},
		"final before its piece":        {pcm(0, 0), &gatewayv1.TranscriptionOffset{SequenceStart: durationpb.New(1)}},
	} {
		_, _, err := newProgress(&gatewayv1.TranscriptionConfig{Format: c.format, ResumeFrom: c.offset})
		if errs.ReasonOf(err) != errs.InvalidRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
}
