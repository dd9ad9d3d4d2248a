package speech

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/bodies"
)

const (
	// maxFormOverhead bounds all of a form before its file, and all of it after
	// the file, in bytes.
	maxFormOverhead = 1 << 20
	// maxFormFields bounds the number of fields of a form.
	maxFormFields = 32
)

// openForm reads a multipart body up to the first ahead bytes of its file.
func openForm(r *http.Request, boundary string, ahead int64) (*Upload, error) {
	if boundary == "" {
		return nil, errs.New(errs.InvalidRequest, "the Content-Type multipart/form-data needs a boundary parameter")
	}
	body := &overheadReader{source: r.Body, left: maxFormOverhead}
	f := &formReader{body: body, parts: multipart.NewReader(body, boundary), fields: url.Values{}}
	options := url.Values{}
	audio, err := f.openFile(ahead, options)
	if err != nil {
		return nil, err
	}
	override(options, f.fields)
	override(options, r.URL.Query())
	return &Upload{Options: options, Audio: audio}, nil
}

// formReader reads a form of fields and one file.
type formReader struct {
	body   *overheadReader
	parts  *multipart.Reader
	fields url.Values
	count  int // of fields
}

// openFile reads to the form's file and returns a reader of it. It sets the
// options that the media type of the file states.
func (f *formReader) openFile(ahead int64, options url.Values) (io.Reader, error) {
	file, err := f.nextFile()
	switch {
	case err != nil:
		return nil, err
	case file == nil:
		return nil, errs.New(errs.InvalidRequest, `the form has no file; add the audio as "file" or "audio"`)
	}
	if err := setFormat(options, file.Header.Get("Content-Type")); err != nil {
		return nil, err
	}
	f.body.unlimited = true
	audio, whole, err := readAhead(formErrors{file}, ahead)
	switch {
	case err != nil:
		return nil, err
	case whole:
		return audio, f.finish()
	}
	return io.MultiReader(audio, &formEnd{form: f, ahead: ahead}), nil
}

// finish reads the fields after the file, to the end of the body.
func (f *formReader) finish() error {
	f.body.unlimited, f.body.left = false, maxFormOverhead
	second, err := f.nextFile()
	if err == nil && second != nil {
		err = errs.New(errs.InvalidRequest, "the form has more than one file")
	}
	if err == nil {
		_, err = io.Copy(io.Discard, f.body) // a form may have text after its end
	}
	return err
}

// nextFile reads fields up to a file. It returns nil at the end of the form.
func (f *formReader) nextFile() (*multipart.Part, error) {
	for {
		part, err := f.parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, formError(err)
		}
		name := part.FormName()
		if name == "file" || name == "audio" {
			return part, nil
		}
		if f.count++; f.count > maxFormFields {
			return nil, errs.New(errs.InvalidRequest, "the form has more than %d fields", maxFormFields)
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, formError(err)
		}
		f.fields.Add(name, string(value))
	}
}

// formError is bodies.ReadError for a part of a form. The guard has its own error
// for a body that was cut off: here, the form ends before its closing boundary.
func formError(err error) error {
	var typed *errs.Error
	if errors.Is(err, io.ErrUnexpectedEOF) && !errors.As(err, &typed) {
		return errs.New(errs.InvalidRequest, "the form is incomplete: its closing boundary is missing").WithCause(err)
	}
	return bodies.ReadError(err)
}

// formErrors returns the errors of a form's file as formError does.
type formErrors struct{ file io.Reader }

// Read implements io.Reader.
func (f formErrors) Read(p []byte) (int, error) {
	n, err := f.file.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = formError(err)
	}
	return n, err
}

// formEnd is read after a file that is larger than what was read ahead.
type formEnd struct {
	form  *formReader
	ahead int64
}

// Read implements io.Reader. The transcription has begun, so options that come
// now are refused.
func (e *formEnd) Read([]byte) (int, error) {
	fields := e.form.count
	if err := e.form.finish(); err != nil {
		return 0, err
	}
	if e.form.count > fields {
		return 0, errs.New(errs.InvalidRequest,
			"with a file of more than %d MiB, the fields of the form must come before the file", e.ahead>>20)
	}
	return 0, io.EOF
}

// overheadReader bounds what is read of a form except its file: headers and
// fields are kept in memory.
type overheadReader struct {
	source    io.Reader
	left      int
	unlimited bool
}

// Read implements io.Reader.
func (o *overheadReader) Read(p []byte) (int, error) {
	if o.unlimited {
		return o.source.Read(p)
	}
	if o.left == 0 {
		return 0, errs.New(errs.InvalidRequest, "the fields and headers of the form are larger than %d bytes", maxFormOverhead)
	}
	n, err := o.source.Read(p[:min(len(p), o.left)])
	o.left -= n
	return n, err
}
