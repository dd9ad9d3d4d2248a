package reply

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// OpenAIBase is the path below which only OpenAI's API is served.
const OpenAIBase = "/openai/v1"

// openAIPaths are the paths of OpenAI's API that are served below /v1 too, where the
// native API has no path of that name.
var openAIPaths = []string{"/v1/chat/completions", "/v1/responses", "/v1/realtime", "/v1/audio/speech", "/v1/audio/transcriptions", "/v1/audio/translations"}

// isOpenAI reports whether a path is one of OpenAI's API. Its clients read errors in
// another form.
func isOpenAI(path string) bool {
	return strings.HasPrefix(path, "/openai/") || slices.Contains(openAIPaths, path)
}

// OpenAIFailure is an error as OpenAI's API has it.
type OpenAIFailure struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

// OpenAIBody is the body of an error of OpenAI's API, and the event of a stream that
// fails.
type OpenAIBody struct {
	Error OpenAIFailure `json:"error"`
}

// OpenAIBodyOf returns the body of an error.
func OpenAIBodyOf(err error) OpenAIBody {
	e, code := statusOf(err)
	return openAIBody(code, e)
}

// OpenAIError answers a request of OpenAI's API with an error.
func OpenAIError(w http.ResponseWriter, err error) {
	e, code := statusOf(err)
	if code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="modelgateway"`)
	}
	writeOpenAI(w, code, e)
}

// SetRequestID gives an answer an id, if it has none yet.
func SetRequestID(header http.Header) {
	if header.Get("X-Request-Id") == "" {
		header.Set("X-Request-Id", "req_"+strings.ToLower(rand.Text()))
	}
}

func writeOpenAI(w http.ResponseWriter, code int, e *errs.Error) {
	w.Header().Del("Trailer")
	w.Header().Del("Transfer-Encoding")
	SetRequestID(w.Header())
	setRetryAfter(w.Header(), e)
	// The official clients try 408, 409, 429 and 5xx again unless they are told not to.
	again := e.RetryAfter() > 0
	w.Header().Set("X-Should-Retry", strconv.FormatBool(again))
	if again {
		w.Header().Set("Retry-After-Ms", strconv.FormatInt(max(1, e.RetryAfter().Milliseconds()), 10))
	}
	text, err := json.Marshal(openAIBody(code, e))
	if err != nil {
		text = []byte("{}")
	}
	text = append(text, '\n')
	w.Header().Set("Content-Type", JSON)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(code)
	_, _ = w.Write(text) // fails only if the client is gone
}

func openAIBody(code int, e *errs.Error) OpenAIBody {
	f := OpenAIFailure{Message: e.Message(), Type: openAIType(code)}
	name := strings.ToLower(errs.ReasonName(e.Reason()))
	meta := e.Metadata()
	switch {
	case meta["context_tokens"] != "":
		name = "context_length_exceeded"
	case code == http.StatusUnauthorized:
		name = "invalid_api_key"
	}
	f.Code = &name
	if field, _, _ := strings.Cut(meta["fields"], ","); field != "" {
		field = field[strings.LastIndex(field, ".")+1:] // "sampling.temperature" is "temperature" there
		f.Param = &field
	} else if e.Reason() == errs.ModelNotFound {
		model := "model"
		f.Param = &model
	}
	return OpenAIBody{Error: f}
}

// openAIType is the class of an error, by its HTTP status.
func openAIType(code int) string {
	switch {
	case code == http.StatusUnauthorized:
		return "authentication_error"
	case code == http.StatusForbidden:
		return "permission_error"
	case code == http.StatusTooManyRequests:
		return "rate_limit_error"
	case code >= http.StatusInternalServerError:
		return "server_error"
	}
	return "invalid_request_error"
}
