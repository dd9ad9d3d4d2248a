// Package geminitest is a fake Gemini API for tests. It serves generateContent and
// streamGenerateContent as documented, checks the key, model and request as the
// real API does, and returns the answers and failures that a test selects.
package geminitest

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Key is the API key that a Server accepts.
const Key = "test-key-4d1f6a2b9c"

// maxRequestBytes is the real API's limit on a request with inline data.
const maxRequestBytes = 20 << 20

// Handler returns the answer to a request. It must be safe for concurrent use.
type Handler func(Request) Answer

// Server is a running fake API. Create one with New.
type Server struct {
	// URL is the base URL, on loopback.
	URL string

	http *httptest.Server

	mu       sync.Mutex
	handler  Handler
	requests []Request
	refused  int
	share    float64
	failure  Answer
	random   *rand.Rand
}

// New starts a Server that answers with Auto and stops when the test ends.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{handler: Auto}
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	s.URL = s.http.URL
	t.Cleanup(func() {
		s.http.CloseClientConnections() // ends answers with Hold
		s.http.Close()
	})
	return s
}

// Handle answers all later requests with h.
func (s *Server) Handle(h Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler = h
}

// Answer answers all later requests with a.
func (s *Server) Answer(a Answer) { s.Handle(func(Request) Answer { return a }) }

// Script answers later requests with these answers in turn, and all further ones
// with the last.
func (s *Server) Script(answers ...Answer) {
	var mu sync.Mutex
	s.Handle(func(Request) Answer {
		mu.Lock()
		defer mu.Unlock()
		a := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		return a
	})
}

// FailShare answers a random share (0 to 1) of the later requests with failure.
func (s *Server) FailShare(share float64, failure Answer, seed uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.share, s.failure, s.random = share, failure, rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // must be repeatable
}

// Requests returns the requests that passed the checks, in order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Last returns the last request that passed the checks; the zero value if none.
func (s *Server) Last() Request {
	all := s.Requests()
	if len(all) == 0 {
		return Request{}
	}
	return all[len(all)-1]
}

// Refused returns the number of requests that failed the checks.
func (s *Server) Refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// serve handles one request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	req, refusal := s.read(r)
	s.mu.Lock()
	if refusal != nil {
		s.refused++
		s.mu.Unlock()
		refusal.write(w, r, req)
		return
	}
	s.requests = append(s.requests, req)
	handler := s.handler
	if s.random != nil && s.random.Float64() < s.share {
		failure := s.failure
		handler = func(Request) Answer { return failure }
	}
	s.mu.Unlock()
	handler(req).write(w, r, req)
}

// read decodes a request and checks it as the real API does.
func (s *Server) read(r *http.Request) (Request, *Answer) {
	refuse := func(a Answer) *Answer { return &a }
	model, method, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1beta/models/"), ":")
	req := Request{Model: model, Header: r.Header.Clone(), Stream: method == "streamGenerateContent"}
	if !ok || !strings.HasPrefix(r.URL.Path, "/v1beta/models/") || r.Method != http.MethodPost ||
		method != "generateContent" && !req.Stream || req.Stream && r.URL.Query().Get("alt") != "sse" {
		return req, refuse(Error(http.StatusNotFound, "NOT_FOUND", "no such method"))
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequestBytes+1))
	if err != nil {
		return req, refuse(Error(http.StatusBadRequest, "INVALID_ARGUMENT", "the request is incomplete"))
	}
	switch key := r.Header.Get("x-goog-api-key"); {
	case key == "":
		return req, refuse(Error(http.StatusForbidden, "PERMISSION_DENIED",
			"Method doesn't allow unregistered callers (callers without established identity)."))
	case key != Key:
		return req, refuse(BadKey())
	case len(body) > maxRequestBytes:
		return req, refuse(Error(http.StatusBadRequest, "INVALID_ARGUMENT", "Request payload size exceeds the limit: 20971520 bytes."))
	case !strings.HasPrefix(model, "gemini-"):
		return req, refuse(Error(http.StatusNotFound, "NOT_FOUND",
			"models/"+model+" is not found for API version v1beta, or is not supported for "+method+"."))
	}
	if err := json.Unmarshal(body, &req.Body); err != nil {
		return req, refuse(Error(http.StatusBadRequest, "INVALID_ARGUMENT", "Invalid JSON payload received."))
	}
	if message := req.invalid(); message != "" {
		return req, refuse(Error(http.StatusBadRequest, "INVALID_ARGUMENT", message))
	}
	return req, nil
}

// pause waits for d, or until the client disconnects.
func pause(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}
