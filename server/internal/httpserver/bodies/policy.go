package bodies

import (
	"context"
	"net/http"
)

// Policy is how a route bounds the bodies of its requests. A route states it
// where it is registered, with With or Choose.
type Policy struct {
	kind kind
	held int64 // audio streams: the most bytes that are held at once
}

type kind int

const (
	small kind = iota
	large
	audioStream
	messageStream
)

var (
	// Small is for requests without audio: at most 4 MiB. Requests that reach no
	// route have it too.
	Small = Policy{kind: small}
	// Large is for messages that carry audio or a model's own parameters: at most
	// limits.max_request_mb, as JSON.
	Large = Policy{kind: large}
	// MessageStream is for RPCs that last as long as a client sends. Neither their
	// size nor their time is bounded, but those of each message are.
	MessageStream = Policy{kind: messageStream}
)

// AudioStream is for a recording that goes to the engine while it arrives. Its
// size is not bounded. The handler holds at most held bytes of it at once. The
// server reads ahead of the engine while it has memory for that, and otherwise at
// the engine's pace, which does not count against the client.
func AudioStream(held int64) Policy { return Policy{kind: audioStream, held: held} }

// With serves a route whose bodies have a policy.
func With(p Policy, next http.Handler) http.Handler {
	return Choose(func(*http.Request) Policy { return p }, next)
}

// Choose serves a route whose policy depends on the form of the body.
func Choose(policy func(*http.Request) Policy, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b := bodyOf(w); b != nil {
			p := policy(r)
			if !b.apply(p) {
				return // the guard answers
			}
			if p.kind == messageStream {
				m := newMessageBody(b, r)
				r = r.WithContext(context.WithValue(r.Context(), messagesKey{}, m))
				r.Body = m
			}
		}
		next.ServeHTTP(w, r)
	})
}

// StreamAudio makes the body of the request that w answers an AudioStream: its
// first bytes have shown that it is one.
func StreamAudio(w http.ResponseWriter, held int64) {
	if b := bodyOf(w); b != nil {
		b.apply(AudioStream(held))
	}
}

// bodyOf returns the guarded body of the request that w answers, or nil if the
// request has no body. It finds it as http.ResponseController finds its
// methods, through wrappers that handlers put around w.
func bodyOf(w http.ResponseWriter) *body {
	for {
		switch writer := w.(type) {
		case *responseWriter:
			return writer.body
		case interface{ Unwrap() http.ResponseWriter }:
			w = writer.Unwrap()
		default:
			return nil
		}
	}
}
