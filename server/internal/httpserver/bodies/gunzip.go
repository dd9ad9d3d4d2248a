package bodies

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"

	"github.com/lexilingo/modelgateway/engines/errs"
)

const (
	// maxRatio is how many times larger a body may become when it is decompressed.
	maxRatio = 10
	// freeBytes is the decompressed size up to which the ratio does not count: short
	// texts may be very regular.
	freeBytes = 64 << 10
)

// errTooLarge marks the error of data that expands to more than the limit.
var errTooLarge = errors.New("too large")

// gunzip decompresses gzip. It fails on data that expands to more than a limit, or
// to more than maxRatio times its size.
type gunzip struct {
	limit  int64
	zip    gzip.Reader
	source countingReader
	out    int64
}

// newGunzip returns a gunzip of at most limit bytes. reset must be called before
// Read.
func newGunzip(limit int64) *gunzip { return &gunzip{limit: limit} }

// reset begins to decompress source.
func (g *gunzip) reset(source io.Reader) error {
	g.source, g.out = countingReader{source: source}, 0
	return gunzipError(g.zip.Reset(bufio.NewReader(&g.source)))
}

// Read implements io.Reader.
func (g *gunzip) Read(p []byte) (int, error) {
	n, err := g.zip.Read(p)
	g.out += int64(n)
	switch {
	case g.out > g.limit:
		return 0, tooLarge(g.limit).err.WithCause(errTooLarge)
	case g.out > freeBytes && g.out > maxRatio*g.source.count:
		return 0, errs.New(errs.InvalidRequest, "the compressed data expands to more than %d times its size; send it uncompressed", maxRatio)
	}
	return n, gunzipError(err)
}

// gunzipError returns an error of package gzip as a typed one. An error of the
// source is returned as it is.
func gunzipError(err error) error {
	var typed *errs.Error
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.As(err, &typed), errors.Is(err, ErrStopped):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errs.New(errs.InvalidRequest, "the gzip data is cut off").WithCause(err)
	}
	return errs.New(errs.InvalidRequest, "the data is not valid gzip: %s", err).WithCause(err)
}

// countingReader counts the bytes that are read from its source.
type countingReader struct {
	source io.Reader
	count  int64
}

// Read implements io.Reader.
func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.source.Read(p)
	c.count += int64(n)
	return n, err
}
