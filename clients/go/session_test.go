package modelgateway_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

var pcm = &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE}

// numbers returns audio that the model "numbers" hears as the numbers up to n, in
// pieces whose lengths have nothing to do with those of the words, and that text.
func numbers(n int) (pieces [][]byte, text string) {
	var samples []byte
	var words []string
	for i := range n {
		words = append(words, fmt.Sprint(i+1))
		for range 1600 {
			samples = binary.LittleEndian.AppendUint16(samples, uint16(i+1))
		}
	}
	for size := 1001; len(samples) > 0; size = size%5000 + 1001 {
		size = min(size, len(samples))
		pieces, samples = append(pieces, samples[:size]), samples[size:]
	}
	return pieces, strings.Join(words, " ")
}

// speak pushes pieces to a session while it reads its events. After each segment, it
// calls heard with their number. Before the piece at each third, it waits for a value
// from more, if that is not nil. It returns what was heard.
func speak(t *testing.T, s *modelgateway.Session, pieces [][]byte, more <-chan bool, heard func(segments int)) string {
	t.Helper()
	pushed := make(chan error, 1)
	go func() {
		for i, piece := range pieces {
			if more != nil && i > 0 && i%(len(pieces)/3+1) == 0 {
				<-more
			}
			if err := s.Push(t.Context(), piece); err != nil {
				pushed <- err
				return
			}
		}
		pushed <- s.Finish(t.Context())
	}()
	var texts []string
	end := time.Duration(0)
	for event, err := range s.Events() {
		if err != nil {
			t.Fatal(err)
		}
		if segment := event.GetSegment(); segment != nil {
			if got := segment.GetStart().AsDuration(); got != end {
				t.Errorf("segment %d begins at %v, want %v", len(texts), got, end)
			}
			end = segment.GetEnd().AsDuration()
			texts = append(texts, segment.GetText())
			heard(len(texts))
		}
	}
	if err := <-pushed; err != nil {
		t.Error(err)
	}
	if got := s.Transcript().GetAudioDuration().AsDuration(); got != end {
		t.Errorf("the transcript is %v long, the segments %v", got, end)
	}
	text := strings.Join(texts, " ")
	if s.Transcript().GetText() != text || len(s.Transcript().GetSegments()) != len(texts) {
		t.Errorf("the transcript is %q, the segments are %q", s.Transcript().GetText(), text)
	}
	return text
}

func client(t *testing.T, address string, opts ...modelgateway.Option) *modelgateway.Client {
	t.Helper()
	c, err := modelgateway.New(address, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func open(t *testing.T, c *modelgateway.Client) *modelgateway.Session {
	t.Helper()
	s, err := c.OpenSession(t.Context(), &gatewayv1.TranscriptionConfig{Format: pcm, Model: "numbers"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// A session whose servers are killed, one after the other, hears every word once.
func TestSessionContinuesElsewhere(t *testing.T) {
	servers := []*gateway{start(t, "a"), start(t, "b"), start(t, "c")}
	p := startProxy(t, servers...)
	s := open(t, client(t, p.address))
	pieces, want := numbers(200)
	more := make(chan bool, 2)
	got := speak(t, s, pieces, more, func(segments int) {
		if segments == 7 || segments == 20 {
			opened := p.of("OpenTranscription")
			p.kill(opened[len(opened)-1].to)
			more <- true
		}
	})
	if got != want {
		t.Errorf("heard %s", got)
	}
	if opened := p.of("OpenTranscription"); len(opened) < 3 {
		t.Errorf("opened %v", opened)
	}
}

// All pushes of a session reach the server that has it, and a connection that breaks is
// taken up there again.
func TestSessionStaysAtItsServer(t *testing.T) {
	p := startProxy(t, start(t, "a"), start(t, "b"))
	s := open(t, client(t, p.address))
	pieces, want := numbers(200)
	more := make(chan bool, 2)
	got := speak(t, s, pieces, more, func(segments int) {
		if segments == 3 || segments == 13 {
			p.server.CloseClientConnections()
			more <- true
		}
	})
	if got != want {
		t.Errorf("heard %s", got)
	}
	opened := p.of("OpenTranscription")
	if len(opened) < 2 {
		t.Errorf("opened %v", opened)
	}
	for i, c := range append(opened, p.of("PushAudio")...) {
		if c.to != opened[0].to || i > 0 && c.asked != c.to {
			t.Fatalf("%v, but the session is at %s", c, opened[0].to)
		}
	}
}

// Whoever pushes all audio first, and reads then, gets the same.
func TestSessionIsReadAfterwards(t *testing.T) {
	p := startProxy(t, start(t, "a"), start(t, "b"))
	s := open(t, client(t, p.address))
	pieces, want := numbers(50)
	for i, piece := range pieces {
		if i == len(pieces)/2 {
			p.kill(p.of("OpenTranscription")[0].to)
		}
		if err := s.Push(t.Context(), piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, err := range s.Events() {
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := s.Transcript().GetText(); got != want || s.ServedBy().GetModel() != "numbers" {
		t.Errorf("heard %s, by %v", got, s.ServedBy())
	}
}

// Without any server, a push waits as long as its context allows, and fails with a typed
// error.
func TestSessionWithoutServerFails(t *testing.T) {
	a := start(t, "a")
	s := open(t, client(t, a.address))
	a.end()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := s.Push(ctx, make([]byte, 100))
	if !errors.Is(err, modelgateway.ErrUnreachable) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}
