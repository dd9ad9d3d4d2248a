package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/gorilla/websocket"
)

// restCall returns a call of REST. body is JSON in which MODEL and TEXT stand for
// what is asked; without it the method is GET. accept is a media type, "" for JSON.
func restCall(path, body, contentType, accept string) func(context.Context, *link, ask) end {
	return func(ctx context.Context, l *link, a ask) end {
		method, text := http.MethodPost, body
		if body == "" {
			method = http.MethodGet
		}
		if contentType == "" {
			text = filled(body, a)
		}
		req, err := http.NewRequestWithContext(ctx, method, l.httpURL+strings.ReplaceAll(path, "MODEL", a.model), strings.NewReader(text))
		if err != nil {
			return end{malformed, err.Error()}
		}
		req.Header = l.header(a)
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
				return end{unanswered, err.Error()}
			}
			return brokenOr(untyped, err)
		}
		defer func() { _ = resp.Body.Close() }()
		e := readREST(resp, a)
		if e.reason != "" && ctx.Err() != nil {
			e.reason = unanswered
		}
		return e
	}
}

// filled puts what is asked into JSON.
func filled(body string, a ask) string {
	text, _ := json.Marshal(a.text)
	sampling := "{}"
	if a.tokens > 0 {
		sampling = fmt.Sprintf(`{"max_tokens":%d,"temperature":0,"presence_penalty":-2,"frequency_penalty":-2}`, a.tokens)
	}
	return strings.NewReplacer("MODEL", a.model, `"TEXT"`, string(text), "SAMPLING", sampling).Replace(body)
}

func (l *link) header(a ask) http.Header {
	h := http.Header{"Authorization": {"Bearer " + l.key}}
	if a.deadline > 0 {
		h.Set("Grpc-Timeout", fmt.Sprintf("%dm", a.deadline.Milliseconds()))
	}
	return h
}

// readREST reads an answer, whose end depends on its type.
func readREST(resp *http.Response, a ask) end {
	kind := resp.Header.Get("Content-Type")
	if resp.StatusCode != http.StatusOK {
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return brokenOr(untyped, err)
		}
		if e, ok := endOfJSON(body); ok {
			return e
		}
		return end{untyped, fmt.Sprintf("%s: %s", resp.Status, body)}
	}
	switch {
	case strings.HasPrefix(kind, "application/x-ndjson"), strings.HasPrefix(kind, "text/event-stream"):
		return readLines(resp.Body, a)
	case strings.HasPrefix(kind, "application/json"):
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return brokenOr(untyped, err)
		}
		if !json.Valid(body) {
			return end{malformed, string(body)}
		}
		return end{}
	default: // audio; a body that is cut off is an error of the client
		_, err := io.Copy(io.Discard, resp.Body)
		if err != nil {
			return brokenOr(untyped, err)
		}
		return end{}
	}
}

// readLines reads a stream of one JSON object per line or event. It must have exactly
// one end, and nothing after it.
func readLines(r io.Reader, a ask) end {
	lines := bufio.NewReader(r)
	var last end
	ends, messages := 0, 0
	for {
		line, err := lines.ReadBytes('\n')
		line = bytes.TrimPrefix(bytes.TrimSpace(line), []byte("data: "))
		if len(line) > 0 {
			if ends > 0 {
				return end{malformed, fmt.Sprintf("after the end came %s", line)}
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
			return brokenOr(untyped, err)
		}
	}
	if ends != 1 {
		return end{malformed, fmt.Sprintf("a stream of %d messages has no end", messages)}
	}
	return last
}

// socketCall returns a call over a WebSocket: what is sent, and then messages are read
// until the one that ends the answer.
func socketCall(path string, send func(*websocket.Conn, ask)) func(context.Context, *link, ask) end {
	return func(ctx context.Context, l *link, a ask) end {
		conn, resp, err := websocket.DefaultDialer.DialContext(ctx, "ws"+strings.TrimPrefix(l.httpURL, "http")+path, l.header(a))
		if err != nil {
			if resp != nil {
				body, _ := io.ReadAll(resp.Body)
				if e, ok := endOfJSON(body); ok {
					return e
				}
			}
			return brokenOr(untyped, err)
		}
		defer func() { _ = conn.Close() }()
		defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
		send(conn, a)
		for {
			kind, message, err := conn.ReadMessage()
			if err != nil {
				if ctx.Err() != nil {
					return end{unanswered, err.Error()}
				}
				return end{broken, "the socket closed before an end: " + err.Error()}
			}
			if kind != websocket.TextMessage {
				continue
			}
			if e, failed := endOfJSON(message); failed || bytes.Contains(message, []byte(`"served_by":{`)) {
				return e
			}
		}
	}
}

func speakIntoSocket(conn *websocket.Conn, a ask) {
	// If a send fails, the answer says why.
	_ = conn.WriteMessage(websocket.TextMessage, []byte(filled(`{"language":"en","model":"MODEL","format":{"encoding":"AUDIO_ENCODING_PCM_S16LE","sample_rate_hertz":16000}}`, a)))
	for range 3 {
		_ = conn.WriteMessage(websocket.BinaryMessage, recording)
	}
	_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"end":true}`))
}

func askSocketToSpeak(conn *websocket.Conn, a ask) {
	_ = conn.WriteMessage(websocket.TextMessage, []byte(filled(`{"text":"Three short words.","model":"MODEL"}`, a)))
}
