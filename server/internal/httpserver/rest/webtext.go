package rest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
)

// The official gRPC-Web client sends and expects application/grpc-web-text: the
// frames of application/grpc-web in base64, where each piece that is flushed may have
// its own padding.

// webText serves grpc-web-text in front of a handler of gRPC-Web.
func webText(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		media, accept := r.Header.Get("Content-Type"), strings.Join(r.Header.Values("Accept"), ",")
		suffix, text := strings.CutPrefix(media, reply.WebText)
		if text {
			r = r.Clone(r.Context())
			r.Header.Set("Content-Type", reply.Web+suffix)
			r.Body = &base64Reader{ReadCloser: r.Body}
			r.ContentLength = -1
		}
		if strings.Contains(accept, reply.WebText) || text && !strings.Contains(accept, reply.Web) {
			answer := &base64Writer{ResponseWriter: w}
			defer answer.flush()
			w = answer
		}
		next.ServeHTTP(w, r)
	})
}

// base64Reader decodes a body of base64 that may have padding in it.
type base64Reader struct {
	io.ReadCloser
	encoded []byte // fewer than four characters
	decoded []byte
	err     error
}

// Read implements io.Reader.
func (b *base64Reader) Read(p []byte) (int, error) {
	for len(b.decoded) == 0 && b.err == nil {
		b.fill()
	}
	if len(b.decoded) == 0 {
		return 0, b.err
	}
	n := copy(p, b.decoded)
	b.decoded = b.decoded[n:]
	return n, nil
}

// fill reads a piece and decodes what is complete of it.
func (b *base64Reader) fill() {
	piece := make([]byte, len(b.encoded)+8<<10)
	copy(piece, b.encoded)
	n, err := b.ReadCloser.Read(piece[len(b.encoded):])
	piece = piece[:len(b.encoded)+n]
	whole := len(piece) / 4 * 4
	b.encoded = bytes.Clone(piece[whole:])
	for piece = piece[:whole]; len(piece) > 0; {
		end := len(piece)
		if padding := bytes.IndexByte(piece, '='); padding >= 0 {
			end = padding/4*4 + 4
		}
		decoded, failure := base64.StdEncoding.AppendDecode(b.decoded, piece[:end])
		if failure != nil {
			b.err = errs.New(errs.InvalidRequest, "the body is not base64, as its Content-Type says")
			return
		}
		b.decoded, piece = decoded, piece[end:]
	}
	if b.err = err; errors.Is(err, io.EOF) && len(b.encoded) > 0 {
		b.err = errs.New(errs.InvalidRequest, "the body is not base64: its last group has fewer than four characters")
	}
}

// base64Writer encodes an answer of gRPC-Web, and leaves others alone.
type base64Writer struct {
	http.ResponseWriter
	begun, plain bool
	pending      []byte // fewer than three bytes
}

// WriteHeader implements http.ResponseWriter.
func (b *base64Writer) WriteHeader(code int) {
	if !b.begun {
		b.begun = true
		suffix, ok := strings.CutPrefix(b.Header().Get("Content-Type"), reply.Web)
		if b.plain = !ok; ok {
			b.Header().Set("Content-Type", reply.WebText+suffix)
			b.Header().Del("Content-Length")
		}
	}
	b.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (b *base64Writer) Write(p []byte) (int, error) {
	if !b.begun {
		b.WriteHeader(http.StatusOK)
	}
	if b.plain {
		return b.ResponseWriter.Write(p)
	}
	b.pending = append(b.pending, p...)
	whole := len(b.pending) / 3 * 3
	_, err := b.ResponseWriter.Write(base64.StdEncoding.AppendEncode(nil, b.pending[:whole]))
	b.pending = bytes.Clone(b.pending[whole:])
	return len(p), err
}

// flush writes what is pending, with padding.
func (b *base64Writer) flush() {
	if len(b.pending) > 0 {
		_, _ = b.ResponseWriter.Write(base64.StdEncoding.AppendEncode(nil, b.pending)) // fails only if the client is gone
		b.pending = nil
	}
}

// Flush implements http.Flusher, which gRPC needs.
func (b *base64Writer) Flush() {
	b.flush()
	_ = http.NewResponseController(b.ResponseWriter).Flush() // fails only if the client is gone
}

// Unwrap lets http.ResponseController reach the connection.
func (b *base64Writer) Unwrap() http.ResponseWriter { return b.ResponseWriter }
