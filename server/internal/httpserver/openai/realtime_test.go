package openai_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/lexilingo/modelgateway/models/modelstest"
	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

const realtimePath = "/openai/v1/realtime?intent=transcription"

// realtimeEvent is an event of the server, with the fields of all of them.
type realtimeEvent struct {
	Type       string
	EventID    string `json:"event_id"`
	ItemID     string `json:"item_id"`
	Previous   string `json:"previous_item_id"`
	Delta      string
	Transcript *string
	Start      *int64 `json:"audio_start_ms"`
	End        *int64 `json:"audio_end_ms"`
	Item       *struct{ ID, Object, Role string }
	Session    map[string]any
	Usage      *struct{ Type string }
	Error      *struct {
		failure
		EventID string `json:"event_id"`
	}
}

// realtimeClient is a client of realtime.
type realtimeClient struct {
	t *testing.T
	*websocket.Conn
}

func dialRealtime(t *testing.T, r *servertest.Running, path string, protocols ...string) *realtimeClient {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: protocols}
	conn, resp, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(r.URL, "http")+path, nil)
	if err != nil {
		t.Fatalf("%v: %v", err, resp)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &realtimeClient{t, conn}
}

func (c *realtimeClient) send(event string) {
	c.t.Helper()
	if err := c.WriteMessage(websocket.TextMessage, []byte(event)); err != nil {
		c.t.Fatal(err)
	}
}

// append sends audio.
func (c *realtimeClient) append(audio []byte) {
	c.t.Helper()
	c.send(`{"type":"input_audio_buffer.append","audio":"` + base64.StdEncoding.EncodeToString(audio) + `"}`)
}

// loud returns a sound that nobody takes for silence.
func loud(size int) []byte {
	sound := make([]byte, size)
	for i := 1; i < size; i += 2 {
		sound[i] = 0x20
		if i/16%2 == 0 {
			sound[i] = 0xe0
		}
	}
	return sound
}

// next returns the next event of one of these types; others before it must be deltas.
func (c *realtimeClient) next(kinds ...string) realtimeEvent {
	c.t.Helper()
	for {
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		_, data, err := c.ReadMessage()
		if err != nil {
			c.t.Fatal(err)
		}
		var e realtimeEvent
		if err := json.Unmarshal(data, &e); err != nil || e.EventID == "" {
			c.t.Fatalf("%v: %s", err, data)
		}
		short := strings.TrimPrefix(e.Type, "conversation.item.input_audio_transcription.")
		switch {
		case slices.Contains(kinds, e.Type), slices.Contains(kinds, short):
			return e
		case short != "delta":
			c.t.Fatalf("want %v, got %s", kinds, data)
		}
	}
}

// The client commits its turns: each is an item with a transcript.
func TestRealtimeWithoutTurnDetection(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	for _, path := range []string{realtimePath, "/v1/realtime?intent=transcription&model=whisper-1", "/openai/v1/realtime?model=qwen"} {
		c := dialRealtime(t, r, path)
		if e := c.next("session.created"); e.Session["type"] != "transcription" || !strings.HasPrefix(e.Session["id"].(string), "sess_") {
			t.Errorf("%+v", e)
		}
		c.send(`{"type":"session.update","session":{"type":"transcription","audio":{"input":{"format":{"type":"audio/pcm","rate":24000},
			"transcription":{"model":"whisper-1","language":"en","prompt":"Names."},"turn_detection":null,"noise_reduction":{"type":"near_field"}}},"include":null}}`)
		in := c.next("session.updated").Session["audio"].(map[string]any)["input"].(map[string]any)
		if in["turn_detection"] != nil || in["transcription"].(map[string]any)["language"] != "en" || in["format"].(map[string]any)["rate"] != 24000.0 {
			t.Errorf("%v", in)
		}
		last := ""
		for i, size := range []int{4801, 100_001} { // a half sample is kept for the next turn
			c.append(make([]byte, size/3))
			c.append(make([]byte, size-size/3))
			c.send(`{"type":"input_audio_buffer.commit"}`)
			committed := c.next("input_audio_buffer.committed")
			if committed.ItemID == "" || committed.Previous != last {
				t.Errorf("%+v, after %q", committed, last)
			}
			for _, kind := range []string{"conversation.item.added", "conversation.item.done"} {
				if e := c.next(kind); e.Item == nil || e.Item.ID != committed.ItemID || e.Item.Role != "user" {
					t.Errorf("%+v", e)
				}
			}
			e := c.next("completed")
			if e.ItemID != committed.ItemID || e.Transcript == nil || *e.Transcript != []string{"4800 bytes", "100002 bytes"}[i] || e.Usage.Type != "duration" {
				t.Errorf("%+v", e)
			}
			last = committed.ItemID
		}
		_ = c.Close()
	}
	servertest.Eventually(t, func() bool { return r.ActiveRequests(t) == 0 })
}

// The server finds the turns of a person's speech, and transcribes each with the audio
// before it.
func TestRealtimeFindsTurns(t *testing.T) {
	file, err := os.ReadFile(modelstest.Speech(t))
	if err != nil {
		t.Fatal(err)
	}
	silence := make([]byte, 2*16000)
	audio := slices.Concat(silence, silence, file[44:], silence, silence)
	r := start(t, servertest.SpeechModels)
	c := dialRealtime(t, r, realtimePath)
	if d := c.next("session.created").Session["audio"].(map[string]any)["input"].(map[string]any)["turn_detection"].(map[string]any); d["type"] != "server_vad" || d["silence_duration_ms"] != 500.0 {
		t.Errorf("the default is %v", d)
	}
	c.send(`{"type":"session.update","session":{"audio":{"input":{"format":{"type":"audio/pcm","rate":16000},"turn_detection":{"type":"server_vad","prefix_padding_ms":200,"silence_duration_ms":1500}}}}}`)
	c.next("session.updated")
	go func() {
		for piece := range slices.Chunk(audio, 3333) {
			c.append(piece)
		}
	}()
	started := c.next("input_audio_buffer.speech_started")
	stopped := c.next("input_audio_buffer.speech_stopped")
	if *started.Start < 1700 || *started.Start > 2700 || *stopped.End < 13_000 || *stopped.End > 14_600 || started.ItemID != stopped.ItemID {
		t.Errorf("the speech from 2.0 to 13.0 s is from %d to %d ms", *started.Start, *stopped.End)
	}
	if e := c.next("input_audio_buffer.committed"); e.ItemID != started.ItemID {
		t.Errorf("%+v", e)
	}
	c.next("conversation.item.added")
	c.next("conversation.item.done")
	want := strconv.FormatInt((*stopped.End-*started.Start)*32, 10) + " bytes"
	if e := c.next("completed"); *e.Transcript != want {
		t.Errorf("%s, want %s", *e.Transcript, want)
	}
}

// Clients of some of OpenAI's models commit their turns without saying so.
func TestRealtimeDetectionOfModels(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	detection := func(e realtimeEvent) any {
		return e.Session["audio"].(map[string]any)["input"].(map[string]any)["turn_detection"]
	}
	c := dialRealtime(t, r, realtimePath+"&model=gpt-realtime-whisper")
	if d := detection(c.next("session.created")); d != nil {
		t.Errorf("%v", d)
	}
	for _, step := range []struct {
		input string
		finds bool
	}{
		{`"transcription":{"model":"whisper-1"}`, true},
		{`"transcription":{"model":"gpt-live-transcribe"}`, false},
		{`"turn_detection":{"type":"server_vad"}`, true},
		{`"transcription":{"model":"gpt-realtime-whisper"}`, true},
		{`"turn_detection":null,"transcription":{"model":"whisper-1"}`, false},
	} {
		c.send(`{"type":"session.update","session":{"audio":{"input":{` + step.input + `}}}}`)
		if d := detection(c.next("session.updated")); (d != nil) != step.finds {
			t.Errorf("%s: %v", step.input, d)
		}
	}
}

// Of a long prompt the end is used, as in other requests, and no more is kept.
func TestRealtimeLongPrompt(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	c := dialRealtime(t, r, realtimePath)
	c.next("session.created")
	c.send(`{"type":"session.update","session":{"audio":{"input":{"transcription":{"prompt":"` + strings.Repeat("ê", 5000) + `end"}}}}}`)
	in := c.next("session.updated").Session["audio"].(map[string]any)["input"].(map[string]any)
	prompt, _ := in["transcription"].(map[string]any)["prompt"].(string)
	if n := len([]rune(prompt)); n != 2000 || !strings.HasSuffix(prompt, "êend") {
		t.Errorf("the session has a prompt of %d characters", n)
	}
}

// An event may have all that OpenAI's API allows, and no more.
func TestRealtimeLargeEvents(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	c := dialRealtime(t, r, realtimePath)
	c.next("session.created")
	c.send(`{"type":"session.update","session":{"audio":{"input":{"turn_detection":null}}}}`)
	c.next("session.updated")
	c.append(loud(11_000_000))
	c.send(`{"type":"input_audio_buffer.commit"}`)
	for _, kind := range []string{"input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"} {
		c.next(kind)
	}
	if e := c.next("completed"); *e.Transcript != "11000000 bytes" {
		t.Errorf("%s", *e.Transcript)
	}
	_ = c.WriteMessage(websocket.TextMessage, []byte(`{"audio":"`+strings.Repeat("A", 15<<20)+`"}`))
	if e := c.next("error"); !strings.Contains(e.Error.Message, "15728640 bytes") || e.Error.Code != "invalid_request" {
		t.Errorf("%+v", e.Error)
	}
	_, _, err := c.ReadMessage()
	if end, ok := err.(*websocket.CloseError); !ok || end.Code != websocket.CloseMessageTooBig {
		t.Errorf("closed with %v", err)
	}
}

// Whether the server or the client ends the turns may change at any time: some clients send
// audio before they say so. What was heard stays.
func TestRealtimeDetectionChanges(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	c := dialRealtime(t, r, realtimePath)
	c.next("session.created")
	detection := func(value string) {
		c.send(`{"type":"session.update","session":{"audio":{"input":{"turn_detection":` + value + `}}}}`)
		c.next("session.updated")
	}
	const second = 48_000
	c.append(loud(second))
	c.next("input_audio_buffer.speech_started")
	detection("null")
	c.append(loud(second))
	c.send(`{"type":"input_audio_buffer.commit"}`)
	for _, kind := range []string{"input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"} {
		c.next(kind)
	}
	if e := c.next("completed"); *e.Transcript != "96000 bytes" {
		t.Errorf("%s", *e.Transcript)
	}
	// Of what nobody committed, the end belongs to the turn that the server finds.
	c.append(make([]byte, 5*second))
	detection(`{"type":"server_vad","prefix_padding_ms":500,"silence_duration_ms":500}`)
	c.append(append(loud(second), make([]byte, second)...))
	c.next("input_audio_buffer.speech_started")
	c.next("input_audio_buffer.speech_stopped")
	for _, kind := range []string{"input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"} {
		c.next(kind)
	}
	var size int
	if e := c.next("completed"); true {
		if _, err := fmt.Sscanf(*e.Transcript, "%d bytes", &size); err != nil || size < 2*second-second/20 || size > 2*second+second/4 {
			t.Errorf("%s, %v", *e.Transcript, err)
		}
	}
}

// The older form of the API has other names.
func TestRealtimeOlderForm(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	c := dialRealtime(t, r, realtimePath, "realtime", "openai-insecure-api-key.any", "openai-beta.realtime-v1")
	if c.Subprotocol() != "realtime" {
		t.Errorf("the subprotocol is %q", c.Subprotocol())
	}
	c.next("transcription_session.created")
	c.send(`{"type":"transcription_session.update","session":{"input_audio_format":"g711_ulaw","input_audio_transcription":{"model":"whisper-1"},"turn_detection":null}}`)
	if s := c.next("transcription_session.updated").Session; s["input_audio_format"] != "g711_ulaw" || s["turn_detection"] != nil {
		t.Errorf("%v", s)
	}
	c.append(make([]byte, 8000))
	c.send(`{"type":"input_audio_buffer.commit"}`)
	c.next("input_audio_buffer.committed")
	c.next("conversation.item.created")
	if e := c.next("completed"); *e.Transcript != "16000 bytes" {
		t.Errorf("%s", *e.Transcript)
	}
}

// What is wrong with an event is an event, and the socket stays open.
func TestRealtimeErrors(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	c := dialRealtime(t, r, realtimePath)
	c.next("session.created")
	session := func(input string) string {
		return `{"type":"session.update","event_id":"mine","session":{"type":"transcription","audio":{"input":{` + input + `}}}}`
	}
	for name, bad := range map[string]struct{ event, param, says string }{
		"no JSON":      {`hello`, "", "JSON"},
		"no type":      {`{"event_id":"mine"}`, "type", "no type"},
		"type":         {`{"type":"response.create","event_id":"mine"}`, "type", "response.create"},
		"conversation": {`{"type":"session.update","event_id":"mine","session":{"type":"realtime"}}`, "type", `"realtime"`},
		"no base64":    {`{"type":"input_audio_buffer.append","event_id":"mine","audio":"?"}`, "audio", "base64"},
		"number":       {`{"type":"input_audio_buffer.append","event_id":"mine","audio":5}`, "audio", "number"},
		"commit":       {`{"type":"input_audio_buffer.commit","event_id":"mine"}`, "", "less than 100 ms"},
		"format":       {session(`"format":{"type":"audio/opus"}`), "format", "audio/opus"},
		"rate":         {session(`"format":{"type":"audio/pcm","rate":1}`), "format", "1 Hz"},
		"detection":    {session(`"turn_detection":{"type":"semantic_vad"}`), "turn_detection", "server_vad"},
		"threshold":    {session(`"turn_detection":{"type":"server_vad","threshold":2}`), "turn_detection", "from 0 to 1"},
		"silence":      {session(`"turn_detection":{"type":"server_vad","silence_duration_ms":-1}`), "turn_detection", "silence_duration_ms"},
		"padding":      {session(`"turn_detection":{"type":"server_vad","prefix_padding_ms":99999}`), "turn_detection", "prefix_padding_ms"},
		"model":        {session(`"transcription":{"model":"gpt-9"}`), "model", "gpt-9"},
		"task":         {session(`"transcription":{"model":"tts-1"}`), "model", "tts-1"},
		"language":     {session(`"transcription":{"language":"` + strings.Repeat("x", 99) + `"}`), "language", "such as en"},
	} {
		c.send(bad.event)
		e := c.next("error")
		if e.Error.Type != "invalid_request_error" || e.Error.Param != bad.param || !strings.Contains(e.Error.Message, bad.says) {
			t.Errorf("%s: %+v", name, e.Error)
		}
		if readable := name != "no JSON"; readable != (e.Error.EventID == "mine") {
			t.Errorf("%s: the error names the event %q", name, e.Error.EventID)
		}
		if (name == "commit") != (e.Error.Code == "input_audio_buffer_commit_empty") {
			t.Errorf("%s: the code is %s", name, e.Error.Code)
		}
	}
	// The session is as it was, and what is open cannot change.
	c.send(session(`"turn_detection":null`))
	c.next("session.updated")
	c.append(make([]byte, 4800))
	c.send(session(`"format":{"type":"audio/pcmu"}`))
	if e := c.next("error"); !strings.Contains(e.Error.Message, "commit or clear") {
		t.Errorf("%+v", e.Error)
	}
	// What is cleared gives no transcript.
	c.send(`{"type":"input_audio_buffer.clear"}`)
	c.next("input_audio_buffer.cleared")
	c.send(`{"type":"input_audio_buffer.commit"}`)
	c.next("error")
	servertest.Eventually(t, func() bool { return r.ActiveRequests(t) == 0 })
	// A model that cannot transcribe fails the item only.
	c.send(session(`"transcription":{"model":"whisper"}`))
	c.next("session.updated")
	c.append(make([]byte, 9600))
	c.send(`{"type":"input_audio_buffer.commit"}`)
	kinds := []string{"input_audio_buffer.committed", "conversation.item.added", "conversation.item.done", "conversation.item.input_audio_transcription.failed"}
	for len(kinds) > 0 {
		e := c.next(kinds...)
		if strings.HasSuffix(e.Type, ".failed") && (e.ItemID == "" || e.Error.Code != "engine_unavailable") {
			t.Errorf("%+v", e)
		}
		kinds = slices.DeleteFunc(kinds, func(kind string) bool { return kind == e.Type })
	}
	c.send(session(`"transcription":{"model":"whisper-1"}`))
	c.next("session.updated")
}

// A session that cannot be is refused before the upgrade.
func TestRealtimeRefused(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	for path, want := range map[string]struct {
		status int
		says   string
	}{
		"?intent=conversation":                     {http.StatusBadRequest, "use transcription"},
		"?intent=transcription&model=gpt-realtime": {http.StatusNotFound, "model_not_found"},
		"?call_id=1": {http.StatusBadRequest, "call_id"},
		"":           {http.StatusUpgradeRequired, "WebSocket"},
	} {
		for _, base := range []string{"/openai/v1/realtime", "/v1/realtime"} {
			resp, text := r.Get(t, base+path)
			if resp.StatusCode != want.status || !strings.HasPrefix(text, `{"error":{`) || !strings.Contains(text, want.says) {
				t.Errorf("%s: %d %s", base+path, resp.StatusCode, text)
			}
		}
	}
}

// Turns that wait for a model that hangs are bounded: their client is held back, and
// nothing is left of them when it is gone.
func TestRealtimeHoldsClientBack(t *testing.T) {
	r := start(t, strings.Replace(servertest.SpeechModels, "threads: 1,", `threads: 1, progress_timeout: 10m, parameters: {fault: stall},`, 1))
	c := dialRealtime(t, r, realtimePath)
	c.next("session.created")
	c.send(`{"type":"session.update","session":{"audio":{"input":{"turn_detection":null}}}}`)
	c.next("session.updated")
	audio := loud(700_000)
	c.append(audio)
	servertest.Eventually(t, func() bool { return r.ActiveRequests(t) == 1 })
	held := false
	for range 500 { // 330 MB
		_ = c.SetWriteDeadline(time.Now().Add(2 * time.Second))
		err := c.WriteMessage(websocket.TextMessage, []byte(`{"type":"input_audio_buffer.append","audio":"`+base64.StdEncoding.EncodeToString(audio)+`"}`))
		if held = err != nil; held {
			break
		}
	}
	if !held {
		t.Error("a client can send any amount of audio")
	}
	// Without the reset, the close would arrive only after what the kernel still holds.
	_ = c.UnderlyingConn().(*net.TCPConn).SetLinger(0)
	_ = c.Close()
	servertest.Eventually(t, func() bool { return r.ActiveRequests(t) == 0 })
}

// A shutdown lets a turn that has begun finish, and ends other sessions at once.
func TestRealtimeShutdown(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	silent, speaking := dialRealtime(t, r, realtimePath), dialRealtime(t, r, realtimePath)
	for _, c := range []*realtimeClient{silent, speaking} {
		c.next("session.created")
	}
	speaking.send(`{"type":"session.update","session":{"audio":{"input":{"turn_detection":null}}}}`)
	speaking.next("session.updated")
	speaking.append(loud(9600))
	servertest.Eventually(t, func() bool { return r.ActiveRequests(t) == 1 })
	ended := make(chan struct{})
	go func() { r.End(t); close(ended) }()
	closed := func(c *realtimeClient) {
		t.Helper()
		if e := c.next("error"); e.Error.Code != "draining" || e.Error.Type != "server_error" {
			t.Errorf("%+v", e.Error)
		}
		_, _, err := c.ReadMessage()
		if end, ok := err.(*websocket.CloseError); !ok || end.Code != websocket.CloseGoingAway {
			t.Errorf("closed with %v", err)
		}
	}
	closed(silent)
	speaking.send(`{"type":"input_audio_buffer.commit"}`)
	speaking.next("input_audio_buffer.committed")
	speaking.next("conversation.item.added")
	speaking.next("conversation.item.done")
	if e := speaking.next("completed"); *e.Transcript != "9600 bytes" {
		t.Errorf("%s", *e.Transcript)
	}
	closed(speaking)
	<-ended
}
