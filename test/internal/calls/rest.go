package calls

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/gorilla/websocket"
)

// restCall returns a call of REST. body is JSON in which MODEL and TEXT stand for
// what is asked; without it the method is GET. accept is a media type, "" for JSON.
func restCall(path, body, contentType, accept string) func(context.Context, *Link, Ask) End {
	return func(ctx context.Context, l *Link, a Ask) End {
		method, text := http.MethodPost, body
		if body == "" {
			method = http.MethodGet
		}
		if contentType == "" {
			text = filled(body, a)
		}
		req, err := http.NewRequestWithContext(ctx, method, l.HTTP+strings.ReplaceAll(path, "MODEL", a.Model), strings.NewReader(text))
		if err != nil {
			return End{Malformed, err.Error()}
		}
		req.Header = l.Header(a)
		req.Header.Set("Content-Type", contentType)
		if contentType == "" {
			req.Header.Set("Content-Type", "application/json")
		}
		if accept != "" {
			req.Header.Set("Accept", accept)
		}
		resp, err := l.one.Do(req)
		if err != nil {
			if ctx.Err() != nil {
				return End{Unanswered, err.Error()}
			}
			return brokenOr(Untyped, err)
		}
		defer func() { _ = resp.Body.Close() }()
		a.answered(resp.Header)
		e := readREST(resp, a)
		if e.Reason != "" && ctx.Err() != nil {
			e.Reason = Unanswered
		}
		return e
	}
}

// filled puts what is asked into JSON.
func filled(body string, a Ask) string {
	text, _ := json.Marshal(a.Text)
	sampling := "{}"
	if a.Tokens > 0 {
		sampling = fmt.Sprintf(`{"max_tokens":%d,"temperature":0,"presence_penalty":-2,"frequency_penalty":-2}`, a.Tokens)
	}
	return strings.NewReplacer("MODEL", a.Model, `"TEXT"`, string(text), "SAMPLING", sampling).Replace(body)
}

// Header returns the header of a request over HTTP.
func (l *Link) Header(a Ask) http.Header {
	h := http.Header{}
	l.setHeader(h, a)
	if a.Deadline > 0 {
		h.Set("Grpc-Timeout", fmt.Sprintf("%dm", a.Deadline.Milliseconds()))
	}
	return h
}

// readREST reads an answer, whose end depends on its type.
func readREST(resp *http.Response, a Ask) End {
	kind := resp.Header.Get("Content-Type")
	if resp.StatusCode != http.StatusOK {
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return brokenOr(Untyped, err)
		}
		if e, ok := endOfJSON(body); ok {
			return e
		}
		return End{Untyped, fmt.Sprintf("%s: %s", resp.Status, body)}
	}
	switch {
	case strings.HasPrefix(kind, "application/x-ndjson"), strings.HasPrefix(kind, "text/event-stream"):
		return ReadLines(resp.Body, a)
	case strings.HasPrefix(kind, "application/json"):
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return brokenOr(Untyped, err)
		}
		if !json.Valid(body) {
			return End{Malformed, string(body)}
		}
		return End{}
	default: // audio; a body that is cut off is an error of the client
		_, err := io.Copy(io.Discard, resp.Body)
		if err != nil {
			return brokenOr(Untyped, err)
		}
		return End{}
	}
}

// ReadLines reads a stream of one JSON object per line or event. It must have exactly
// one end, and nothing after it.
func ReadLines(r io.Reader, a Ask) End {
	lines := bufio.NewReader(r)
	var last End
	ends, messages := 0, 0
	for {
		line, err := lines.ReadBytes('\n')
		line = bytes.TrimPrefix(bytes.TrimSpace(line), []byte("data: "))
		if len(line) > 0 {
			if ends > 0 {
				return End{Malformed, fmt.Sprintf("after the end came %s", line)}
			}
			messages++
			if messages == 1 {
				a.began()
			}
			e, failed := endOfJSON(line)
			if failed || bytes.Contains(line, []byte(`"served_by":{`)) {
				ends, last = ends+1, e
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return brokenOr(Untyped, err)
		}
	}
	if ends != 1 {
		return End{Malformed, fmt.Sprintf("a stream of %d messages has no end", messages)}
	}
	return last
}

// socketCall returns a call over a WebSocket: what is sent, and then messages are read
// until the one that ends the answer.
func socketCall(path string, send func(*websocket.Conn, Ask)) func(context.Context, *Link, Ask) End {
	return func(ctx context.Context, l *Link, a Ask) End {
		conn, resp, err := websocket.DefaultDialer.DialContext(ctx, "ws"+strings.TrimPrefix(l.HTTP, "http")+path, l.Header(a))
		if err != nil {
			if resp != nil {
				body, _ := io.ReadAll(resp.Body)
				if e, ok := endOfJSON(body); ok {
					return e
				}
			}
			return brokenOr(Untyped, err)
		}
		a.answered(resp.Header)
		defer func() { _ = conn.Close() }()
		defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
		send(conn, a)
		for {
			kind, message, err := conn.ReadMessage()
			if err != nil {
				if ctx.Err() != nil {
					return End{Unanswered, err.Error()}
				}
				return End{Broken, "the socket closed before an end: " + err.Error()}
			}
			if kind != websocket.TextMessage {
				continue
			}
			e, failed := endOfJSON(message)
			if failed || bytes.Contains(message, []byte(`"served_by":{`)) || bytes.Contains(message, []byte(`transcription.completed"`)) {
				return e
			}
		}
	}
}

func speakIntoSocket(conn *websocket.Conn, a Ask) {
	// If a send fails, the answer says why.
	_ = conn.WriteMessage(websocket.TextMessage, []byte(filled(`{"language":"en","model":"MODEL","format":{"encoding":"AUDIO_ENCODING_PCM_S16LE","sample_rate_hertz":16000}}`, a)))
	for range 3 {
		_ = conn.WriteMessage(websocket.BinaryMessage, recording)
	}
	_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"end":true}`))
}

// speakAndCommit speaks one turn into a socket of OpenAI's realtime API.
func speakAndCommit(conn *websocket.Conn, a Ask) {
	for _, event := range []string{
		filled(`{"type":"session.update","session":{"audio":{"input":{"format":{"type":"audio/pcm","rate":16000},"transcription":{"model":"MODEL"},"turn_detection":null}}}}`, a),
		`{"type":"input_audio_buffer.append","audio":"` + base64.StdEncoding.EncodeToString(recording) + `"}`,
		`{"type":"input_audio_buffer.commit"}`,
	} {
		_ = conn.WriteMessage(websocket.TextMessage, []byte(event)) // if it fails, the answer says why
	}
}

func askSocketToSpeak(conn *websocket.Conn, a Ask) {
	_ = conn.WriteMessage(websocket.TextMessage, []byte(filled(`{"text":"Three short words.","model":"MODEL"}`, a)))
}
