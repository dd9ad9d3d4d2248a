package openai_test

import (
	"strconv"
	"strings"
	"testing"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

// While nobody speaks, the model is not asked, and not all is kept.
func TestRealtimeSilence(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	c := dialRealtime(t, r, realtimePath)
	c.next("session.created")
	c.send(`{"type":"session.update","session":{"audio":{"input":{"turn_detection":null}}}}`)
	c.next("session.updated")
	const second = 48_000
	for range 95 {
		c.append(make([]byte, second))
	}
	c.send(`{"type":"session.update","session":{}}`)
	c.next("session.updated") // all of the audio was heard
	if m := r.Model(t, "qwen"); m.GetState() != gatewayv1.ModelState_MODEL_STATE_UNLOADED {
		t.Errorf("the model is %s", m.GetState())
	}
	c.send(`{"type":"input_audio_buffer.commit"}`)
	for _, kind := range []string{"input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"} {
		c.next(kind)
	}
	kept, err := strconv.Atoi(strings.TrimSuffix(*c.next("completed").Transcript, " bytes"))
	if err != nil || kept == 0 || kept > 32*second {
		t.Errorf("%d bytes are transcribed (%v)", kept, err)
	}
	// What is loud is transcribed before the commit, with the silence before it.
	c.append(make([]byte, second))
	c.append(loud(second))
	servertest.Eventually(t, func() bool { return r.ActiveRequests(t) == 1 })
	c.send(`{"type":"input_audio_buffer.commit"}`)
	for _, kind := range []string{"input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"} {
		c.next(kind)
	}
	if e := c.next("completed"); *e.Transcript != "96000 bytes" {
		t.Errorf("%s", *e.Transcript)
	}
}

// What is dropped of a long silence does not include the beginning of a word.
func TestRealtimeWordAfterSilence(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	c := dialRealtime(t, r, realtimePath)
	c.next("session.created")
	c.send(`{"type":"session.update","session":{"audio":{"input":{"turn_detection":null}}}}`)
	c.next("session.updated")
	const frame, limit, pause = 960, 1500, 25 // bytes; frames of the longest silence, and of what is kept of it
	for _, word := range []int{3, 53} {       // frames of the word; with 3, it is not found yet when the silence is dropped
		c.append(append(make([]byte, (limit-2)*frame), loud(3*frame)...))
		c.append(loud((word - 3) * frame))
		c.send(`{"type":"input_audio_buffer.commit"}`)
		for _, kind := range []string{"input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"} {
			c.next(kind)
		}
		if e := c.next("completed"); *e.Transcript != strconv.Itoa((pause+word-3)*frame)+" bytes" {
			t.Errorf("of a word of %d frames: %s", word, *e.Transcript)
		}
	}
}

// Silence of any length in one event does not block a session.
func TestRealtimeLongSilence(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	c := dialRealtime(t, r, realtimePath)
	c.next("session.created")
	c.send(`{"type":"session.update","session":{"audio":{"input":{"turn_detection":null}}}}`)
	c.next("session.updated")
	c.append(make([]byte, 11_000_000))
	c.send(`{"type":"input_audio_buffer.clear"}`)
	c.next("input_audio_buffer.cleared")
	c.append(make([]byte, 11_000_000))
	c.send(`{"type":"input_audio_buffer.commit"}`)
	for _, kind := range []string{"input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"} {
		c.next(kind)
	}
	c.next("completed")
}
