package rest

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/config"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/bodies"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
)

// The transcoder and grpc-go refuse some requests themselves, without a reason: in
// plain text, or as an internal error. The handlers of this file give these errors
// the form of all others.

// typedRefusals answers what the transcoder refuses in plain text.
func typedRefusals(transcoder http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		original := r.Clone(r.Context()) // the transcoder removes headers
		answer := &plainErrorWriter{ResponseWriter: w}
		transcoder.ServeHTTP(answer, r)
		if answer.code != 0 {
			reply.Refuse(w, original, answer.code, errs.New(errs.InvalidRequest,
				"the request cannot be read: %s (Content-Type %q); see docs/api.md", answer.message(), original.Header.Get("Content-Type")))
		}
	})
}

// typedStatuses gives a status that grpc-go made of a caller's mistake the reason
// INVALID_REQUEST.
func typedStatuses(limits config.Limits, server http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := &failingBody{ReadCloser: r.Body}
		r = r.WithContext(r.Context())
		r.Body = body
		answer := &plainErrorWriter{ResponseWriter: w}
		server.ServeHTTP(answer, r)
		if answer.code != 0 { // headers that are not valid
			w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
			setStatus(w.Header(), errs.New(errs.InvalidRequest, "%s", answer.message()))
			w.WriteHeader(http.StatusOK)
			return
		}
		code, err := strconv.Atoi(w.Header().Get("Grpc-Status"))
		if err != nil || code == 0 {
			return
		}
		message, typed := w.Header().Get("Grpc-Message"), w.Header().Get("Grpc-Status-Details-Bin") != ""
		switch {
		case reply.MessageTooLarge(codes.Code(code), message): //nolint:gosec // a gRPC code
			bodies.FailTooLarge(w, int64(limits.MaxRequestMB)<<20)
		case body.err != nil:
			setStatus(w.Header(), body.err)
		case !typed && strings.Contains(message, "received no request message"):
			setStatus(w.Header(), errs.New(errs.InvalidRequest, "the request is empty; send a message, at least {}"))
		case !typed && strings.Contains(message, "compress"):
			setStatus(w.Header(), errs.New(errs.InvalidRequest, "the message cannot be decompressed: it is not what Grpc-Encoding says"))
		}
	})
}

// setStatus replaces the status of an answer.
func setStatus(header http.Header, e *errs.Error) {
	st := e.GRPCStatus().Proto()
	header.Set("Grpc-Status", strconv.Itoa(int(st.GetCode())))
	header.Set("Grpc-Message", url.PathEscape(st.GetMessage()))
	if details, err := proto.Marshal(st); err == nil {
		header.Set("Grpc-Status-Details-Bin", connect.EncodeBinaryHeader(details))
	}
}

// failingBody keeps the typed error with which a body failed.
type failingBody struct {
	io.ReadCloser
	err *errs.Error
}

// Read implements io.Reader.
func (b *failingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && b.err == nil {
		_ = errors.As(err, &b.err)
	}
	return n, err
}

// plainErrorWriter keeps an error that http.Error writes, and passes on all other
// answers.
type plainErrorWriter struct {
	http.ResponseWriter
	code int // of the error
	text strings.Builder
}

func (w *plainErrorWriter) message() string { return strings.TrimSpace(w.text.String()) }

// WriteHeader implements http.ResponseWriter.
func (w *plainErrorWriter) WriteHeader(code int) {
	if code >= http.StatusBadRequest && strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		w.code = code
		return
	}
	w.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (w *plainErrorWriter) Write(p []byte) (int, error) {
	if w.code != 0 {
		return w.text.Write(p)
	}
	return w.ResponseWriter.Write(p)
}

// Flush implements http.Flusher, which gRPC needs.
func (w *plainErrorWriter) Flush() {
	if w.code == 0 {
		_ = http.NewResponseController(w.ResponseWriter).Flush() // fails only if the client is gone
	}
}

// Unwrap lets http.ResponseController reach the connection.
func (w *plainErrorWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
