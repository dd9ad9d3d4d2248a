package gemini

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
)

// eventStream is the body of a stream of server-sent events, in the form that the
// library reads: each event is "data: JSON" and an empty line. The library ends
// the answer at whatever else the format allows, and proxies send it: comments to
// keep the connection open, the other fields, data in several lines, carriage
// returns as line ends, a byte-order mark.
//
// It keeps one event. The limit of the answer, applied to the body, bounds it.
type eventStream struct {
	body io.ReadCloser
	in   *bufio.Reader

	started bool   // the first line was read
	cr      bool   // the last byte was a carriage return
	line    []byte // so far
	event   []byte // its data so far
	plain   bool   // the event is JSON that is not in a field
	out     []byte // to be returned
	err     error
}

func newEventStream(body io.ReadCloser) *eventStream {
	return &eventStream{body: body, in: bufio.NewReader(body)}
}

// isEventStream reports whether an answer to req is a stream of events. It does not
// depend on the content type, which proxies change.
func isEventStream(req *http.Request, resp *http.Response) bool {
	return req.URL.Query().Get("alt") == "sse" && resp.StatusCode >= 200 && resp.StatusCode < 300
}

// Close implements io.Closer.
func (s *eventStream) Close() error { return s.body.Close() }

// Read implements io.Reader. It returns an event as soon as its empty line has
// arrived.
func (s *eventStream) Read(p []byte) (int, error) {
	for len(s.out) == 0 {
		if s.err != nil {
			return 0, s.err
		}
		s.advance()
	}
	n := copy(p, s.out)
	s.out = s.out[n:]
	return n, nil
}

// advance reads one byte.
func (s *eventStream) advance() {
	b, err := s.in.ReadByte()
	if err != nil {
		s.err = err
		if errors.Is(err, io.EOF) { // the last event may lack its empty line
			s.endLine()
			s.endEvent()
		}
		return
	}
	after := s.cr
	s.cr = b == '\r'
	switch {
	case b == '\n' && after: // the line ended before it
	case b == '\n' || b == '\r':
		s.endLine()
	default:
		s.line = append(s.line, b)
	}
}

// endLine reads a line.
func (s *eventStream) endLine() {
	line := s.line
	s.line = s.line[:0]
	if !s.started {
		s.started = true
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	}
	if len(line) == 0 {
		s.endEvent()
		return
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	switch {
	case s.plain || len(s.event) == 0 && line[0] == '{':
		// The API's errors may come as JSON without a field.
		s.plain = true
		s.add(line)
	case string(name) == "data":
		s.add(bytes.TrimPrefix(value, []byte(" ")))
	}
}

// add appends a line to the event. An empty one means nothing in JSON, and would
// end the event for the library.
func (s *eventStream) add(line []byte) {
	if len(bytes.TrimSpace(line)) == 0 {
		return
	}
	if len(s.event) > 0 {
		s.event = append(s.event, '\n')
	}
	s.event = append(s.event, line...)
}

// endEvent returns the event, if it has data. "[DONE]" is how other APIs, and
// proxies that imitate them, mark the end.
func (s *eventStream) endEvent() {
	if len(s.event) > 0 && string(s.event) != "[DONE]" {
		s.out = s.out[:0]
		if !s.plain {
			s.out = append(s.out, "data: "...)
		}
		s.out = append(append(s.out, s.event...), "\n\n"...)
	}
	s.event, s.plain = s.event[:0], false
}
