package speech_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

func TestTranscribeOverSocket(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	for name, begin := range map[string]func() *client{
		"config as a message": func() *client {
			c := dial(t, r, micPath)
			c.text(`{"interim_results":true,"language":"en","format":{"encoding":"AUDIO_ENCODING_PCM_S16LE"}}`)
			return c
		},
		"config in the query": func() *client {
			return dial(t, r, micPath+"?interim_results=true&language=en&encoding=pcm_s16le&priority=high")
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := begin()
			c.t = t
			// Results come before the end of the audio.
			for i, want := range []string{"10 bytes", "1048586 bytes"} {
				c.audio([]int{10, 1 << 20}[i])
				if e, _ := c.next(); e.Event.Interim == nil || e.Event.Interim.Tentative != want || e.ServedBy != nil {
					t.Fatalf("%+v, want %s", e, want)
				}
			}
			c.audio(0)
			c.text(`{"end":true}`)
			if e, _ := c.next(); e.Event.Final == nil || e.Event.Final.Text != "1048586 bytes" || e.ServedBy.Model != "qwen" {
				t.Errorf("%+v", e)
			}
			if code, _ := c.closed(); code != websocket.CloseNormalClosure {
				t.Errorf("closed with %d", code)
			}
		})
	}
	servertest.Eventually(t, func() bool { return r.ActiveRequests(t) == 0 })
}

func TestSocketsRefuseInvalidMessages(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	for name, c := range map[string]struct {
		path   string
		do     func(*client)
		reason errs.Reason
		code   int
		says   string
	}{
		"audio without config": {micPath, func(c *client) { c.audio(10) }, errs.ConfigNotFirst, websocket.ClosePolicyViolation, "config"},
		"end without config":   {micPath, func(c *client) { c.text(`{"end":true}`) }, errs.ConfigNotFirst, websocket.ClosePolicyViolation, "config"},
		"broken config":        {micPath, func(c *client) { c.text(`{`) }, errs.InvalidRequest, websocket.ClosePolicyViolation, "config cannot be read"},
		"unknown config":       {micPath, func(c *client) { c.text(`{"langauge":"en"}`) }, errs.InvalidRequest, websocket.ClosePolicyViolation, "langauge"},
		"config out of range":  {micPath, func(c *client) { c.text(`{"beam_size":17}`) }, errs.InvalidRequest, websocket.ClosePolicyViolation, "beam_size"},
		"encoded from within":  {micPath, func(c *client) { c.text(`{"resume_from":{"committed_sequence":"3"}}`) }, errs.InvalidRequest, websocket.ClosePolicyViolation, "raw PCM"},
		"no such model":        {micPath, func(c *client) { c.text(`{"model":"nobody"}`) }, errs.ModelNotFound, websocket.ClosePolicyViolation, "nobody"},
		"no engine":            {micPath, func(c *client) { c.text(`{"model":"whisper"}`); c.audio(10) }, errs.EngineUnavailable, websocket.ClosePolicyViolation, "whisper"},
		"config twice":         {micPath, func(c *client) { c.text(`{}`); c.text(`{}`) }, errs.InvalidRequest, websocket.ClosePolicyViolation, "binary"},
		"both configs":         {micPath + "?language=en", func(c *client) { c.text(`{}`) }, errs.InvalidRequest, websocket.ClosePolicyViolation, "binary"},
		"text for audio":       {micPath + "?language=en", func(c *client) { c.text("hello") }, errs.InvalidRequest, websocket.ClosePolicyViolation, "binary"},
		"audio after the end": {micPath + "?language=en&interim_results=1", func(c *client) {
			c.audio(1)
			c.next() // so that the audio after the end is not read before it
			if err := c.WriteMessage(websocket.TextMessage, []byte(`{"end":true}`)); err != nil {
				t.Error(err)
			}
			c.audio(1)
		}, 0, 0, ""},
		"a message that is too long": {micPath + "?language=en", func(c *client) { c.audio(1<<20 + 1) }, errs.InvalidRequest, websocket.CloseMessageTooBig, "1048576 bytes"},
		"a message of 100 MB": {micPath + "?language=en", func(c *client) {
			w, err := c.NextWriter(websocket.BinaryMessage)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(w, servertest.Zeros(100<<20)) // is cut off
			_ = w.Close()
		}, errs.InvalidRequest, websocket.CloseMessageTooBig, "1048576 bytes"},
		"binary for text":    {speakPath, func(c *client) { c.audio(10) }, errs.InvalidRequest, websocket.ClosePolicyViolation, "text"},
		"a request too long": {speakPath, func(c *client) { c.text(strings.Repeat(" ", 1<<20+1)) }, errs.InvalidRequest, websocket.CloseMessageTooBig, "1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, r, c.path)
			c.do(conn)
			if c.reason != 0 {
				conn.fails(c.reason, c.code, c.says)
				return
			}
			// The result and the error cross: either may come first, but the socket ends.
			for {
				if _, _, err := conn.ReadMessage(); err != nil {
					if !websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.ClosePolicyViolation) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	servertest.Eventually(t, func() bool { return r.ActiveRequests(t) == 0 })
}

func TestSynthesizeOverSocket(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	c := dial(t, r, speakPath)
	for _, text := range []string{"one two", "three"} { // one after another
		want := r.Synthesize(t, text)
		c.text(`{"text":"` + text + `"}`)
		first, _ := c.next()
		if first.Rate != 16000 || first.Sentence == "" {
			t.Fatalf("%+v", first)
		}
		var got []byte
		for {
			e, pcm := c.next()
			got = append(got, pcm...)
			if e.ServedBy != nil {
				break
			}
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%q: %d bytes, want %d", text, len(got), len(want))
		}
		// A request that fails leaves the socket open.
		c.text(`{"text":"a","model":"nobody"}`)
		if e, _ := c.next(); e.Error == nil || e.Error.Reason != "MODEL_NOT_FOUND" || e.Error.Code != 5 {
			t.Fatalf("%+v", e)
		}
		c.text(`{"txt":"a"}`)
		if e, _ := c.next(); e.Error == nil || e.Error.Reason != "INVALID_REQUEST" {
			t.Fatalf("%+v", e)
		}
	}
}

func TestSocketPathsRefuseOtherRequests(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	for _, path := range []string{micPath, speakPath} {
		if resp, text := r.Get(t, path); resp.StatusCode != http.StatusUpgradeRequired || resp.Header.Get("Upgrade") != "websocket" || !strings.Contains(text, "INVALID_REQUEST") {
			t.Errorf("GET %s: %d %s", path, resp.StatusCode, text)
		}
		if resp, text := r.Post(t, path, "{}"); resp.StatusCode != http.StatusMethodNotAllowed || !strings.Contains(resp.Header.Get("Allow"), "GET") {
			t.Errorf("POST %s: %d %s", path, resp.StatusCode, text)
		}
	}
	for query, says := range map[string]string{"?langauge=en": "langauge", "?beam_size=x": "beam_size"} {
		_, resp, err := tryDial(r, micPath+query)
		if err == nil || resp.StatusCode != http.StatusBadRequest {
			t.Fatalf("%s: %v %v", query, err, resp)
		}
		if text, _ := io.ReadAll(resp.Body); !strings.Contains(string(text), says) {
			t.Errorf("%s: %s", query, text)
		}
	}
	const broken = "GET /v1/transcribe/ws HTTP/1.1\nHost: localhost\nConnection: upgrade\nUpgrade: websocket\nSec-WebSocket-Version: %s\nSec-WebSocket-Key: %s\n%s\n"
	for _, request := range []string{
		fmt.Sprintf(broken, "8", "dGhlIHNhbXBsZSBub25jZQ==", ""), fmt.Sprintf(broken, "13", "x", ""),
		fmt.Sprintf(broken, "13", "dGhlIHNhbXBsZSBub25jZQ==", "Content-Length: 4\n") + "body",
	} {
		answer := make([]byte, 12)
		if _, err := io.ReadFull(r.Dial(t, request), answer); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 4") {
			t.Errorf("%q: %s %v", request, answer, err)
		}
	}
}

// A GET that opens a WebSocket has effects, and CORS with its preflight requests
// does not cover it.
func TestSocketsCheckTheOrigin(t *testing.T) {
	closed := start(t, servertest.SpeechModels)
	open := start(t, servertest.SpeechModels+"cors: {allowed_origins: [\"https://app.example\", \"https://*.wild.example\"]}\n")
	for _, c := range []struct {
		name   string
		r      *servertest.Running
		header []string
		want   int
	}{
		{"no browser", closed, nil, 101},
		{"the same origin", closed, []string{"Origin", closed.URL}, 101},
		{"another origin", closed, []string{"Origin", "https://evil.example"}, 403},
		{"another port", closed, []string{"Origin", "http://127.0.0.1:1"}, 403},
		{"an opaque origin", closed, []string{"Origin", "null"}, 403},
		{"another site", closed, []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 403},
		{"another host", closed, []string{"Host", "evil.example"}, 403},
		{"an allowed origin", open, []string{"Origin", "https://app.example", "Sec-Fetch-Site", "cross-site"}, 101},
		{"an allowed pattern", open, []string{"Origin", "https://a.wild.example"}, 101},
		{"not an allowed one", open, []string{"Origin", "https://evil.example"}, 403},
	} {
		for _, path := range []string{micPath, speakPath} {
			conn, resp, err := tryDial(c.r, path, c.header...)
			if conn != nil {
				_ = conn.Close()
			}
			if resp == nil || resp.StatusCode != c.want {
				t.Errorf("%s, %s: %v %v, want %d", c.name, path, resp, err, c.want)
				continue
			}
			if text, _ := io.ReadAll(resp.Body); c.want == 403 && !strings.Contains(string(text), "FORBIDDEN") {
				t.Errorf("%s, %s: %s", c.name, path, text)
			}
		}
	}
}

// However a client leaves, the model is released. TestMain looks for goroutines
// that are left.
func TestLostSocketReleasesTheModel(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	for name, leave := range map[string]func(*client){
		"closed": func(c *client) {
			_ = c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Minute))
			err := error(nil)
			for err == nil { // messages under way come first
				_, _, err = c.ReadMessage()
			}
			if !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
				t.Errorf("closed with %v", err)
			}
		},
		"cut": func(c *client) { _ = c.NetConn().Close() },
		"reset": func(c *client) {
			_ = c.NetConn().(*net.TCPConn).SetLinger(0)
			_ = c.NetConn().Close()
		},
		"nonsense":      func(c *client) { _, _ = c.NetConn().Write([]byte("GET / HTTP/1.1\r\n\r\n")) },
		"half a header": func(c *client) { _, _ = c.NetConn().Write([]byte{0x82}); _ = c.NetConn().Close() },
	} {
		t.Run(name, func(t *testing.T) {
			mic := dial(t, r, micPath+"?interim_results=true")
			mic.audio(10)
			mic.next()
			if n := r.ActiveRequests(t); n != 1 {
				t.Fatalf("%d active requests", n)
			}
			leave(mic)
			servertest.Eventually(t, func() bool { return r.ActiveRequests(t) == 0 })

			speaker := dial(t, r, speakPath)
			speaker.text(`{"text":"` + strings.Repeat("w ", 45_000) + `"}`)
			speaker.next()
			leave(speaker)
			servertest.Eventually(t, func() bool { return r.ActiveRequests(t) == 0 })
		})
	}
}

// A client that does not read loses its place, as over gRPC.
func TestSocketEndsIfItsClientDoesNotRead(t *testing.T) {
	r := start(t, servertest.SpeechModels+"limits: {slow_reader_timeout: 1s}\n")
	c := dial(t, r, speakPath)
	c.text(`{"text":"` + strings.Repeat("w ", 45_000) + `"}`)
	c.next()
	servertest.Eventually(t, func() bool { return r.ActiveRequests(t) == 0 })
}

// The server does not buffer what the engine does not take.
func TestSocketsHoldTheClientBack(t *testing.T) {
	r := start(t, strings.Replace(servertest.SpeechModels, "max_concurrency: 16", "max_concurrency: 1", 1))
	first := dial(t, r, micPath+"?interim_results=true")
	first.audio(1)
	first.next()
	second := dial(t, r, micPath+"?language=en") // waits for the first one's place
	_ = second.SetWriteDeadline(time.Now().Add(3 * time.Second))
	sent := 0
	for second.WriteMessage(websocket.BinaryMessage, make([]byte, 1<<20)) == nil {
		if sent++; sent > 200 {
			t.Fatal("200 MB were read for a model that takes nothing")
		}
	}
	first.text(`{"end":true}`)
	if e, _ := first.next(); e.Event.Final == nil {
		t.Errorf("%+v", e)
	}
}
