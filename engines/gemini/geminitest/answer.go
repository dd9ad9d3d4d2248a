package geminitest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Answer is what a request is answered with. The functions of this package make
// the usual ones; their fields may be changed after that.
type Answer struct {
	// Status is the HTTP status; 0 is 200.
	Status int
	// Header is added to the answer's.
	Header http.Header
	// Raw is the body of an answer that is no GenerateContentResponse.
	Raw []byte
	// Chunks are the answer's pieces; without streaming they are sent as one.
	Chunks []Chunk
	// Delay is the time before the first byte.
	Delay time.Duration
	// Pause is the time between two chunks of a stream.
	Pause time.Duration
	// Hold never ends the answer: after its chunks (or, without streaming, its
	// headers) nothing comes until the caller is gone.
	Hold bool
	// Break cuts the connection after the chunks.
	Break bool
	// Garbage ends a stream with an event that is no JSON.
	Garbage bool
}

// Chunk is a piece of an answer, and at the same time a GenerateContentResponse.
type Chunk struct {
	Candidates     []Candidate     `json:"candidates,omitempty"`
	PromptFeedback *PromptFeedback `json:"promptFeedback,omitempty"`
	UsageMetadata  *Usage          `json:"usageMetadata,omitempty"`
	ModelVersion   string          `json:"modelVersion,omitempty"`
	Error          map[string]any  `json:"error,omitempty"`
}

// Candidate is an answer, or a piece of it.
type Candidate struct {
	Content      *Content `json:"content,omitempty"`
	FinishReason string   `json:"finishReason,omitempty"`
	Index        int      `json:"index"`
}

// PromptFeedback tells why a prompt was blocked.
type PromptFeedback struct {
	BlockReason string `json:"blockReason,omitempty"`
}

// Usage counts tokens.
type Usage struct {
	PromptTokenCount        int `json:"promptTokenCount,omitempty"`
	CachedContentTokenCount int `json:"cachedContentTokenCount,omitempty"`
	CandidatesTokenCount    int `json:"candidatesTokenCount,omitempty"`
	ThoughtsTokenCount      int `json:"thoughtsTokenCount,omitempty"`
	TotalTokenCount         int `json:"totalTokenCount,omitempty"`
}

// Text answers with pieces of text that ends well.
func Text(pieces ...string) Answer { return TextEnding("STOP", pieces...) }

// TextEnding answers with pieces of text and a finish reason, e.g. "MAX_TOKENS"
// or "SAFETY". An empty one leaves it out, as a stream that breaks off does.
func TextEnding(finish string, pieces ...string) Answer {
	var a Answer
	for i, piece := range pieces {
		c := Chunk{Candidates: []Candidate{{Content: &Content{Role: "model", Parts: []Part{{Text: piece}}}}}, ModelVersion: "gemini-test"}
		if i == len(pieces)-1 {
			c.Candidates[0].FinishReason = finish
			c.UsageMetadata = &Usage{PromptTokenCount: 11, CandidatesTokenCount: 7, TotalTokenCount: 18}
		}
		a.Chunks = append(a.Chunks, c)
	}
	return a
}

// Thoughts answers with thoughts before the text, and counts them.
func Thoughts(thought, text string) Answer {
	a := Text(text)
	last := &a.Chunks[0]
	last.UsageMetadata.ThoughtsTokenCount = 5
	last.Candidates[0].Content.Parts = []Part{{Text: thought, Thought: true}, {Text: text}}
	return a
}

// Blocked answers that the prompt was refused, e.g. for "SAFETY".
func Blocked(reason string) Answer {
	return Answer{Chunks: []Chunk{{PromptFeedback: &PromptFeedback{BlockReason: reason}, UsageMetadata: &Usage{PromptTokenCount: 11}}}}
}

// Empty answers with a candidate without content, as the real API does when it
// stops before the first token; finish may be empty.
func Empty(finish string) Answer {
	return Answer{Chunks: []Chunk{{Candidates: []Candidate{{FinishReason: finish}}}}}
}

// NoCandidates answers with nothing at all.
func NoCandidates() Answer { return Answer{Chunks: []Chunk{{}}} }

// Sound answers with inline data of a MIME type, e.g. "audio/L16;codec=pcm;rate=24000".
func Sound(mimeType string, pieces ...[]byte) Answer {
	a := TextEnding("STOP", make([]string, len(pieces))...)
	for i, piece := range pieces {
		a.Chunks[i].Candidates[0].Content.Parts = []Part{{InlineData: &Blob{MIMEType: mimeType, Data: piece}}}
	}
	return a
}

// Error answers with an error of the real API's shape.
func Error(code int, status, message string, details ...map[string]any) Answer {
	raw, err := json.Marshal(map[string]any{"error": errorBody(code, status, message, details)})
	if err != nil {
		panic(err)
	}
	return Answer{Status: code, Raw: raw}
}

// ErrorInStream answers with pieces of text, then with an error in the stream.
func ErrorInStream(code int, status string, pieces ...string) Answer {
	a := TextEnding("", pieces...)
	a.Chunks = append(a.Chunks, Chunk{Error: errorBody(code, status, "it broke in the middle", nil)})
	return a
}

func errorBody(code int, status, message string, details []map[string]any) map[string]any {
	e := map[string]any{"code": code, "status": status, "message": message}
	if len(details) > 0 {
		e["details"] = details
	}
	return e
}

// BadKey answers as the real API does to a key that it does not know: 400.
func BadKey() Answer {
	return Error(http.StatusBadRequest, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", map[string]any{
		"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com",
	})
}

// Quota answers 429. A retry is advised after a delay, if that is positive;
// daily says that the day's quota is used up.
func Quota(retry time.Duration, daily bool) Answer {
	id := "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
	if daily {
		id = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
	}
	details := []map[string]any{{
		"@type":      "type.googleapis.com/google.rpc.QuotaFailure",
		"violations": []map[string]any{{"quotaId": id, "quotaValue": "15"}},
	}}
	if retry > 0 {
		details = append(details, map[string]any{
			"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": fmt.Sprintf("%gs", retry.Seconds()),
		})
	}
	return Error(http.StatusTooManyRequests, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", details...)
}

// Unavailable answers 503.
func Unavailable() Answer {
	return Error(http.StatusServiceUnavailable, "UNAVAILABLE", "The model is overloaded. Please try again later.")
}

// Redirect answers with a redirect to another URL.
func Redirect(url string) Answer {
	return Answer{Status: http.StatusTemporaryRedirect, Header: http.Header{"Location": {url}}, Raw: []byte("moved")}
}

// write sends the answer.
func (a Answer) write(w http.ResponseWriter, r *http.Request, req Request) {
	pause(r, a.Delay)
	if r.Context().Err() != nil {
		return
	}
	for key, values := range a.Header {
		w.Header()[key] = values
	}
	body := a.Raw
	if a.Chunks != nil {
		w.Header().Set("Content-Type", "text/event-stream")
		if !req.Stream {
			w.Header().Set("Content-Type", "application/json")
			body = mustJSON(merged(a.Chunks))
		}
	}
	if a.Status != 0 {
		w.WriteHeader(a.Status)
	}
	flush := http.NewResponseController(w)
	if req.Stream && a.Chunks != nil {
		for i, c := range a.Chunks {
			if i > 0 {
				pause(r, a.Pause)
			}
			fmt.Fprintf(w, "data: %s\r\n\r\n", mustJSON(c))
			_ = flush.Flush()
		}
		if a.Garbage {
			fmt.Fprint(w, "data: {\"candidates\": [\r\n\r\n")
		}
	} else {
		if a.Hold || a.Break || a.Garbage {
			body = body[:len(body)/2]
		}
		_, _ = w.Write(body)
	}
	_ = flush.Flush()
	if a.Hold {
		<-r.Context().Done()
	}
	if a.Break {
		panic(http.ErrAbortHandler)
	}
}

// merged makes one response of a stream's chunks.
func merged(chunks []Chunk) Chunk {
	out := chunks[0]
	for _, c := range chunks[1:] {
		if c.Error != nil {
			return Chunk{Error: c.Error}
		}
		if c.UsageMetadata != nil {
			out.UsageMetadata = c.UsageMetadata
		}
		for i, candidate := range c.Candidates {
			first := out.Candidates[i]
			first.FinishReason = candidate.FinishReason
			if candidate.Content != nil {
				parts := append([]Part{}, first.Content.Parts...)
				first.Content = &Content{Role: "model", Parts: append(parts, candidate.Content.Parts...)}
			}
			out.Candidates = []Candidate{first}
		}
	}
	return out
}

func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}
