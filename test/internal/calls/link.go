package calls

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

// Link is how a client reaches a gateway.
type Link struct {
	GRPC, HTTP string // URLs
	key        string
	one, two   *http.Client // HTTP/1.1, HTTP/2
}

// New returns a link to the two addresses of a gateway. key is an API key, "" for none.
func New(grpcAddr, httpAddr, key string) *Link {
	client := func(two bool) *http.Client {
		var p http.Protocols
		p.SetHTTP1(!two)
		p.SetUnencryptedHTTP2(two)
		return &http.Client{Transport: &http.Transport{Protocols: &p, MaxIdleConnsPerHost: 16}}
	}
	return &Link{GRPC: "http://" + grpcAddr, HTTP: "http://" + httpAddr, key: key, one: client(false), two: client(true)}
}

// Close closes the connections that no call uses.
func (l *Link) Close() {
	l.one.CloseIdleConnections()
	l.two.CloseIdleConnections()
}

// Ask is what a call asks for.
type Ask struct {
	Model string
	Text  string // the last message of a chat
	// Tokens, if not 0, is the length of the answer; a model of llama.cpp repeats itself.
	Tokens int32
	// Deadline is told to the gateway. The client itself waits longer, so that it sees
	// when the gateway ends the call.
	Deadline time.Duration
	First    func() // called when the answer begins; may be nil
	// Metadata is sent with the request.
	Metadata http.Header
	// Pieces is how many pieces of audio a session gets, one each Pace; 0: one, whose
	// failure only the end of the session tells.
	Pieces int
	Pace   time.Duration
	// Transcript, if not nil, gets the text of a session.
	Transcript func(string)
	// Answered, if not nil, is called with the header of the answer. WebSockets have
	// that of their handshake.
	Answered func(http.Header)
}

func (a Ask) answered(h http.Header) {
	if a.Answered != nil {
		a.Answered(h)
	}
}

func (a Ask) began() {
	if a.First != nil {
		a.First()
	}
}

// End is how a call ended. The zero value is success.
type End struct {
	// Reason is that of a typed error, or one of those below.
	Reason string
	Detail string
}

const (
	// Broken means that the connection broke, so there is no answer.
	Broken = "CONNECTION"
	// Untyped is an error without a reason.
	Untyped = "UNTYPED"
	// Malformed is an answer that has no end, or two.
	Malformed = "MALFORMED"
	// Reset means that the gateway, or a proxy that lost it, reset the stream. grpc-go does so at the
	// deadline, in a race with the answer; clients of gRPC end the call at their deadline
	// themselves.
	Reset = "RESET"
	// Unanswered means that the client gave up, long after the deadline.
	Unanswered = "UNANSWERED"
)

// String implements fmt.Stringer.
func (e End) String() string {
	if e.Reason == "" {
		return "OK"
	}
	return fmt.Sprintf("%s: %.200s", e.Reason, e.Detail)
}

// Get asks for a path over HTTP.
func (l *Link) Get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.HTTP+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header = l.Header(Ask{})
	return l.one.Do(req)
}

// setHeader sets the metadata and the key of a request.
func (l *Link) setHeader(h http.Header, a Ask) {
	maps.Copy(h, a.Metadata)
	if l.key != "" {
		h.Set("Authorization", "Bearer "+l.key)
	}
}

// endOf returns how a call over gRPC, gRPC-Web or Connect ended.
func endOf(ctx context.Context, err error) End {
	var failed *connect.Error
	switch {
	case err == nil:
		return End{}
	case ctx.Err() != nil:
		return End{Unanswered, err.Error()}
	case !errors.As(err, &failed):
		return brokenOr(Untyped, err)
	}
	for _, d := range failed.Details() {
		if v, err := d.Value(); err == nil {
			if info, ok := v.(*errdetails.ErrorInfo); ok && info.GetDomain() == "modelgateway" {
				return End{info.GetReason(), failed.Message()}
			}
		}
	}
	if strings.Contains(err.Error(), "received from peer") {
		return End{Reset, err.Error()}
	}
	if connect.IsWireError(err) {
		return End{Untyped, err.Error()}
	}
	return brokenOr(Untyped, err)
}

// brokenOr returns the end of a call whose connection broke, or else another.
func brokenOr(otherwise string, err error) End {
	var op *net.OpError
	var failed *url.Error
	if errors.As(err, &op) || errors.As(err, &failed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		strings.Contains(err.Error(), "connection") || strings.Contains(err.Error(), "GOAWAY") || strings.Contains(err.Error(), "unexpected EOF") {
		return End{Broken, err.Error()}
	}
	return End{otherwise, err.Error()}
}

// endOfJSON returns the end that an error as JSON tells; ok is false if the text is
// none.
func endOfJSON(text []byte) (e End, ok bool) {
	var answer struct {
		failure
		Error *failure // of a stream or a socket
	}
	if json.Unmarshal(text, &answer) != nil {
		return End{Malformed, string(text)}, true
	}
	failed := answer.failure
	if answer.Error != nil {
		failed = *answer.Error
	}
	for _, d := range failed.Details {
		if d.Domain == "modelgateway" {
			return End{d.Reason, failed.Message}, true
		}
	}
	switch {
	case failed.Code != nil && failed.Type != "": // OpenAI's form, whose code is the reason
		return End{strings.ToUpper(fmt.Sprint(failed.Code)), failed.Message}, true
	case answer.Error != nil:
		return End{Untyped, string(text)}, true
	}
	return End{}, false
}

// failure is an error as JSON.
type failure struct {
	Message, Type string
	Code          any
	Details       []struct{ Reason, Domain string }
}
