package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

// link is how a client reaches a gateway.
type link struct {
	grpcURL, httpURL string
	key              string
	one, two         *http.Client // HTTP/1.1, HTTP/2
}

func newLink(grpcAddr, httpAddr, key string) *link {
	client := func(two bool) *http.Client {
		var p http.Protocols
		p.SetHTTP1(!two)
		p.SetUnencryptedHTTP2(two)
		return &http.Client{Transport: &http.Transport{Protocols: &p, MaxIdleConnsPerHost: 16}}
	}
	return &link{grpcURL: "http://" + grpcAddr, httpURL: "http://" + httpAddr, key: key, one: client(false), two: client(true)}
}

func (l *link) close() {
	l.one.CloseIdleConnections()
	l.two.CloseIdleConnections()
}

// ask is what a call asks for.
type ask struct {
	model string
	text  string // the last message of a chat
	// tokens, if not 0, is the length of the answer; a model of llama.cpp repeats itself.
	tokens int32
	// deadline is told to the gateway. The client itself waits longer, so that it sees
	// when the gateway ends the call.
	deadline time.Duration
	first    func() // called when the answer begins; may be nil
}

func (a ask) began() {
	if a.first != nil {
		a.first()
	}
}

// end is how a call ended. The zero value is success.
type end struct {
	// reason is that of a typed error, or one of those below.
	reason string
	detail string
}

const (
	// broken: the connection broke, so there is no answer.
	broken = "CONNECTION"
	// untyped: an error without a reason.
	untyped = "UNTYPED"
	// malformed: an answer that has no end, or two.
	malformed = "MALFORMED"
	// reset: the gateway reset the stream. grpc-go does so at the deadline, in a race with
	// the answer; clients of gRPC end the call at their deadline themselves.
	reset = "RESET"
	// unanswered: the client gave up, long after the deadline.
	unanswered = "UNANSWERED"
)

// String implements fmt.Stringer.
func (e end) String() string {
	if e.reason == "" {
		return "OK"
	}
	return fmt.Sprintf("%s: %.200s", e.reason, e.detail)
}

// endOf returns how a call over gRPC, gRPC-Web or Connect ended.
func endOf(ctx context.Context, err error) end {
	var failed *connect.Error
	switch {
	case err == nil:
		return end{}
	case ctx.Err() != nil:
		return end{unanswered, err.Error()}
	case !errors.As(err, &failed):
		return brokenOr(untyped, err)
	}
	for _, d := range failed.Details() {
		if v, err := d.Value(); err == nil {
			if info, ok := v.(*errdetails.ErrorInfo); ok && info.GetDomain() == "modelgateway" {
				return end{info.GetReason(), failed.Message()}
			}
		}
	}
	if strings.Contains(err.Error(), "CANCEL; received from peer") {
		return end{reset, err.Error()}
	}
	if connect.IsWireError(err) {
		return end{untyped, err.Error()}
	}
	return brokenOr(untyped, err)
}

// brokenOr returns the end of a call whose connection broke, or else another.
func brokenOr(otherwise string, err error) end {
	var op *net.OpError
	var failed *url.Error
	if errors.As(err, &op) || errors.As(err, &failed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		strings.Contains(err.Error(), "connection") || strings.Contains(err.Error(), "GOAWAY") || strings.Contains(err.Error(), "unexpected EOF") {
		return end{broken, err.Error()}
	}
	return end{otherwise, err.Error()}
}

// endOfJSON returns the end that an error as JSON tells; ok is false if the text is
// none.
func endOfJSON(text []byte) (e end, ok bool) {
	var answer struct {
		failure
		Error *failure // of a stream or a socket
	}
	if json.Unmarshal(text, &answer) != nil {
		return end{malformed, string(text)}, true
	}
	failed := answer.failure
	if answer.Error != nil {
		failed = *answer.Error
	}
	for _, d := range failed.Details {
		if d.Domain == "modelgateway" {
			return end{d.Reason, failed.Message}, true
		}
	}
	switch {
	case failed.Code != nil && failed.Type != "": // OpenAI's form, whose code is the reason
		return end{strings.ToUpper(fmt.Sprint(failed.Code)), failed.Message}, true
	case answer.Error != nil:
		return end{untyped, string(text)}, true
	}
	return end{}, false
}

// failure is an error as JSON.
type failure struct {
	Message, Type string
	Code          any
	Details       []struct{ Reason, Domain string }
}
