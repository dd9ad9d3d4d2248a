package httpserver

import (
	"bufio"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
)

const (
	// uploadAhead is how much of a recording is read before its transcription
	// begins, in bytes: a caller who stalls at once keeps no place from others.
	uploadAhead = 256 << 10
	// formAhead is that of a form's file, in bytes: fields may stand behind it.
	formAhead = 4 << 20
	// largestPiece is the size to which the pieces of what is read ahead grow, in
	// bytes.
	largestPiece = 64 << 10
	// formBudget bounds all of a form but its file, in bytes.
	formBudget = 1 << 20
	// formFields bounds the number of its fields.
	formFields = 32
)

// bodyForm is how a body carries audio.
type bodyForm int

const (
	formJSON       bodyForm = iota
	formAudio               // the body is the audio
	formMultipart           // the audio is a file of a form
	formUndeclared          // what curl sends if it is not told: JSON or audio
)

// formOf tells how a request's body carries audio, and the media type's
// parameters.
func formOf(r *http.Request) (bodyForm, map[string]string) {
	declared := r.Header.Get("Content-Type")
	if declared == "" {
		return formUndeclared, nil
	}
	media, params, err := mime.ParseMediaType(declared)
	switch {
	case err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter):
		return formJSON, nil // is told to the caller by what reads it
	case media == "multipart/form-data":
		return formMultipart, params
	case media == "application/x-www-form-urlencoded":
		return formUndeclared, nil
	case strings.HasPrefix(media, "audio/"), media == "video/webm", media == "application/ogg", media == "application/octet-stream":
		return formAudio, params
	}
	return formJSON, params
}

// formatOptions are the options that a media type tells: raw samples have no
// header of their own.
func formatOptions(declared string, options url.Values) error {
	media, params, err := mime.ParseMediaType(declared)
	if err != nil || media != "audio/l16" && media != "audio/pcm" {
		return nil
	}
	// RFC 2586 has L16 in network order; speech services and their clients do not.
	if e := params["endianness"]; e != "" && e != "little-endian" {
		return errs.New(errs.InvalidRequest, "samples must be little-endian, not %q", e)
	}
	options.Set("encoding", "pcm_s16le")
	for param, option := range map[string]string{"rate": "sample_rate_hertz", "channels": "channel_count"} {
		if v := params[param]; v != "" {
			options.Set(option, v)
		}
	}
	return nil
}

// upload is audio that came as a body, or as a file of a form.
type upload struct {
	// options are the media type's, the form's fields and the query's, each
	// before those that are named first.
	options url.Values
	// audio ends, or fails, with the body.
	audio io.Reader
}

// openUpload reads a body up to ahead bytes of its audio.
func openUpload(r *http.Request, ahead int64) (*upload, error) {
	options := url.Values{}
	form, params := formOf(r)
	if form != formMultipart {
		if err := formatOptions(r.Header.Get("Content-Type"), options); err != nil {
			return nil, err
		}
		overlay(options, r.URL.Query())
		audio, _, err := readAhead(r.Body, ahead)
		return &upload{options: options, audio: audio}, err
	}
	boundary := params["boundary"]
	if boundary == "" {
		return nil, errs.New(errs.InvalidRequest, "the Content-Type of a form names its boundary")
	}
	body := &budgetReader{source: r.Body, left: formBudget}
	f := &formReader{body: body, parts: multipart.NewReader(body, boundary), fields: url.Values{}}
	audio, err := f.open(ahead, options)
	if err != nil {
		return nil, err
	}
	overlay(options, f.fields)
	overlay(options, r.URL.Query())
	return &upload{options: options, audio: audio}, nil
}

// aheadOf is how much of a recording is read ahead if the rest is streamed, in
// bytes.
func aheadOf(r *http.Request) int64 {
	if form, _ := formOf(r); form == formMultipart {
		return formAhead
	}
	return uploadAhead
}

// readAhead reads up to ahead bytes. It returns a reader of these and the rest,
// and whether there is no rest.
func readAhead(audio io.Reader, ahead int64) (all io.Reader, whole bool, err error) {
	head := &pieces{}
	if err := head.fill(io.LimitReader(audio, ahead)); err != nil {
		return nil, false, bodyError(err)
	}
	rest := bufio.NewReader(audio)
	if _, err := rest.Peek(1); errors.Is(err, io.EOF) {
		return head, true, nil
	}
	return io.MultiReader(head, rest), false, nil
}

// pieces is what was read of something of unknown length. It takes hardly more
// memory than that has bytes, and gives each piece up when it is read.
type pieces struct{ list [][]byte }

// fill reads to the end of source.
func (p *pieces) fill(source io.Reader) error {
	for size := 4 << 10; ; size = min(2*size, largestPiece) {
		piece := make([]byte, 0, size)
		for len(piece) < size {
			n, err := source.Read(piece[len(piece):size])
			piece = piece[:len(piece)+n]
			if err != nil {
				p.list = append(p.list, piece)
				return endOf(err)
			}
		}
		p.list = append(p.list, piece)
	}
}

// endOf is what went wrong with something that was read to its end.
func endOf(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// Read implements io.Reader.
func (p *pieces) Read(into []byte) (int, error) {
	for len(p.list) > 0 && len(p.list[0]) == 0 {
		p.list[0], p.list = nil, p.list[1:]
	}
	if len(p.list) == 0 {
		return 0, io.EOF
	}
	n := copy(into, p.list[0])
	p.list[0] = p.list[0][n:]
	return n, nil
}

// bodyError types what makes a body unreadable.
func bodyError(err error) error {
	var typed *errs.Error
	switch {
	case errors.As(err, &typed) || errors.Is(err, errAbandoned):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errs.New(errs.InvalidRequest, "the body ended before its end").WithCause(err)
	}
	return errs.New(errs.InvalidRequest, "the body cannot be read: %s", err).WithCause(err)
}

// overlay sets what over has.
func overlay(options, over url.Values) {
	for name, values := range over {
		options[name] = values
	}
}

// formReader reads a form of fields and one file.
type formReader struct {
	body   *budgetReader
	parts  *multipart.Reader
	fields url.Values
	seen   int
}

// open reads to the form's file and returns a reader of it. options get what the
// file's media type tells.
func (f *formReader) open(ahead int64, options url.Values) (io.Reader, error) {
	file, err := f.next()
	switch {
	case err != nil:
		return nil, err
	case file == nil:
		return nil, errs.New(errs.InvalidRequest, `the form has no file of the name "file" or "audio"`)
	}
	if err := formatOptions(file.Header.Get("Content-Type"), options); err != nil {
		return nil, err
	}
	f.body.free = true
	audio, whole, err := readAhead(file, ahead)
	switch {
	case err != nil:
		return nil, bodyError(err)
	case whole:
		return audio, f.finish()
	}
	return io.MultiReader(audio, &formEnd{form: f}), nil
}

// finish reads the fields behind the file, to the end of the body.
func (f *formReader) finish() error {
	f.body.free, f.body.left = false, formBudget
	again, err := f.next()
	if err == nil && again != nil {
		err = errs.New(errs.InvalidRequest, "the form has more than one file")
	}
	if err == nil {
		_, err = io.Copy(io.Discard, f.body) // what stands behind a form is nothing
	}
	return err
}

// next reads fields up to a file, which it returns, or to the form's end.
func (f *formReader) next() (*multipart.Part, error) {
	for {
		part, err := f.parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, bodyError(err)
		}
		name := part.FormName()
		if name == "file" || name == "audio" {
			return part, nil
		}
		if f.seen++; f.seen > formFields {
			return nil, errs.New(errs.InvalidRequest, "the form has more than %d fields", formFields)
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, bodyError(err)
		}
		f.fields.Add(name, string(value))
	}
}

// formEnd stands behind a file that is larger than what was read ahead.
type formEnd struct{ form *formReader }

// Read implements io.Reader. By now it is too late for options.
func (e *formEnd) Read([]byte) (int, error) {
	fields := e.form.seen
	if err := e.form.finish(); err != nil {
		return 0, err
	}
	if e.form.seen > fields {
		return 0, errs.New(errs.InvalidRequest, "the fields of a form stand before a file of more than %d MiB", formAhead>>20)
	}
	return 0, io.EOF
}

// budgetReader bounds what is read from a form beside its file: headers and
// fields are held in memory.
type budgetReader struct {
	source io.Reader
	left   int
	free   bool
}

// Read implements io.Reader.
func (b *budgetReader) Read(p []byte) (int, error) {
	if b.free {
		return b.source.Read(p)
	}
	if b.left == 0 {
		return 0, errs.New(errs.InvalidRequest, "the fields of the form are larger than %d bytes", formBudget)
	}
	n, err := b.source.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
