package speech

import (
	"bufio"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/bodies"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
)

const (
	// readAheadBytes is how much of a recording is read before its transcription
	// begins: a client that stalls at once takes no place of the model.
	readAheadBytes = 256 << 10
	// formReadAheadBytes is the same for the file of a form: fields may follow it.
	formReadAheadBytes = 4 << 20
)

// bodyForm is how a body carries audio.
type bodyForm int

const (
	formJSON       bodyForm = iota
	formAudio               // the body is the audio
	formMultipart           // the audio is a file of a form
	formUndeclared          // JSON or audio: curl's default, or a type of neither
)

// formOf returns how the body of a request carries audio, and the parameters of
// its media type.
func formOf(r *http.Request) (bodyForm, map[string]string) {
	declared := r.Header.Get("Content-Type")
	if declared == "" {
		return formUndeclared, nil
	}
	media, params, err := mime.ParseMediaType(declared)
	switch {
	case err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter):
		return formJSON, nil // the JSON decoder answers
	case media == "multipart/form-data":
		return formMultipart, params
	case strings.HasPrefix(media, "audio/"), strings.HasPrefix(media, "video/"), media == "application/ogg", media == "application/octet-stream":
		return formAudio, params
	case media == reply.JSON, media == "text/json", strings.HasSuffix(media, "+json"):
		return formJSON, params
	}
	return formUndeclared, nil
}

// readAheadOf returns how much of a recording is read ahead if the rest is
// streamed, in bytes.
func readAheadOf(form bodyForm) int64 {
	if form == formMultipart {
		return formReadAheadBytes
	}
	return readAheadBytes
}

// setFormat sets the options that a media type states: raw samples have no
// header that does.
func setFormat(options url.Values, contentType string) error {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil || media != "audio/l16" && media != "audio/pcm" {
		return nil
	}
	// RFC 2586 has L16 in network byte order, but speech services and their
	// clients use little-endian.
	if e := params["endianness"]; e != "" && e != "little-endian" {
		return errs.New(errs.InvalidRequest, "audio samples must be little-endian, not %q", e)
	}
	options.Set("encoding", "pcm_s16le")
	for param, option := range map[string]string{"rate": "sample_rate_hertz", "channels": "channel_count"} {
		if v := params[param]; v != "" {
			options.Set(option, v)
		}
	}
	return nil
}

// Upload is audio that came as a body, or as a file of a form.
type Upload struct {
	// Options are those of the query, of the form's fields and of the media type;
	// the first of them that has an option counts.
	Options url.Values
	// Audio ends, or fails, with the body.
	Audio io.Reader
}

// OpenUpload reads a body up to the first ahead bytes of its audio.
func OpenUpload(r *http.Request, ahead int64) (*Upload, error) {
	options := url.Values{}
	form, params := formOf(r)
	if form == formMultipart {
		return openForm(r, params["boundary"], ahead)
	}
	if err := setFormat(options, r.Header.Get("Content-Type")); err != nil {
		return nil, err
	}
	override(options, r.URL.Query())
	audio, _, err := readAhead(r.Body, ahead)
	return &Upload{Options: options, Audio: audio}, err
}

// override replaces the options that values has.
func override(options, values url.Values) {
	for name, v := range values {
		options[name] = v
	}
}

// readAhead reads up to ahead bytes of audio. It returns a reader of these and
// the rest, and whether there is no rest.
func readAhead(audio io.Reader, ahead int64) (all io.Reader, whole bool, err error) {
	head := &inflight.Pieces{}
	if err := head.Fill(io.LimitReader(audio, ahead)); err != nil {
		return nil, false, bodies.ReadError(err)
	}
	rest := bufio.NewReader(audio)
	if _, err := rest.Peek(1); errors.Is(err, io.EOF) {
		return head, true, nil
	}
	return io.MultiReader(head, rest), false, nil
}
