package geminitest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Answer is the answer to a request. The functions of this package return the usual
// ones; tests may change their fields.
type Answer struct {
	// Status is the HTTP status; 0 is 200.
	Status int
	// Header is added to the header of the answer.
	Header http.Header
	// Raw is the body of an answer that is not a GenerateContentResponse.
	Raw []byte
	// Chunks are the pieces of the answer. Without streaming they are merged.
	Chunks []Chunk
	// Delay is the time before the first byte.
	Delay time.Duration
	// Pause is the time between two chunks of a stream.
	Pause time.Duration
	// Hold keeps the answer open after its chunks (without streaming, after half
	// of the body) until the client disconnects.
	Hold bool
	// Break cuts the connection after the chunks.
	Break bool
	// Garbage ends a stream with an event that is not JSON.
	Garbage bool
}

// Chunk is a piece of an answer, in the form of a GenerateContentResponse.
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
	// LogprobsResult has the probabilities of tokens.
	LogprobsResult map[string]any `json:"logprobsResult,omitempty"`
}

// PromptFeedback says why a prompt was blocked.
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

// Text returns an answer of these pieces of text with the finish reason STOP.
func Text(pieces ...string) Answer { return TextEnding("STOP", pieces...) }

// TextEnding returns an answer of these pieces of text with a finish reason, such
// as "MAX_TOKENS" or "SAFETY". If finish is empty, the answer has none, like a
// stream that is interrupted.
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

// Thoughts returns an answer with a thought before the text. The usage counts it.
func Thoughts(thought, text string) Answer {
	a := Text(text)
	last := &a.Chunks[0]
	last.UsageMetadata.ThoughtsTokenCount = 5
	last.Candidates[0].Content.Parts = []Part{{Text: thought, Thought: true}, {Text: text}}
	return a
}

// Calls returns an answer that calls functions. The first call has a signature.
func Calls(signature string, calls ...Function) Answer {
	a := Text("")
	parts := make([]Part, len(calls))
	for i := range calls {
		parts[i].FunctionCall = &calls[i]
	}
	parts[0].ThoughtSignature = []byte(signature)
	a.Chunks[0].Candidates[0].Content.Parts = parts
	return a
}

// Several returns several answers to one request.
func Several(texts ...string) Answer {
	a := Text("")
	a.Chunks[0].Candidates = nil
	for i, text := range texts {
		a.Chunks[0].Candidates = append(a.Chunks[0].Candidates, Candidate{
			Index: i, FinishReason: "STOP", Content: &Content{Role: "model", Parts: []Part{{Text: text}}},
		})
	}
	return a
}

// Blocked returns the answer to a prompt that was blocked for a reason such as
// "SAFETY".
func Blocked(reason string) Answer {
	return Answer{Chunks: []Chunk{{PromptFeedback: &PromptFeedback{BlockReason: reason}, UsageMetadata: &Usage{PromptTokenCount: 11}}}}
}

// Empty returns an answer whose candidate has no content, as of the real API when
// it stops before the first token. finish may be empty.
func Empty(finish string) Answer {
	return Answer{Chunks: []Chunk{{Candidates: []Candidate{{FinishReason: finish}}}}}
}

// NoCandidates returns an answer without candidates.
func NoCandidates() Answer { return Answer{Chunks: []Chunk{{}}} }

// Sound returns an answer of inline data with a MIME type, such as
// "audio/L16;codec=pcm;rate=24000".
func Sound(mimeType string, pieces ...[]byte) Answer {
	a := TextEnding("STOP", make([]string, len(pieces))...)
	for i, piece := range pieces {
		a.Chunks[i].Candidates[0].Content.Parts = []Part{{InlineData: &Blob{MIMEType: mimeType, Data: piece}}}
	}
	return a
}

// Error returns an error in the real API's form.
func Error(code int, status, message string, details ...map[string]any) Answer {
	raw, err := json.Marshal(map[string]any{"error": errorBody(code, status, message, details)})
	if err != nil {
		panic(err)
	}
	return Answer{Status: code, Raw: raw}
}

// ErrorInStream returns a stream of pieces of text that ends with an error.
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

// BadKey returns the real API's answer to an unknown key, which has status 400.
func BadKey() Answer {
	return Error(http.StatusBadRequest, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", map[string]any{
		"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com",
	})
}

// Quota returns status 429. If retry is positive, the answer advises it as a delay.
// daily selects the daily quota instead of the one per minute.
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

// Unavailable returns status 503.
func Unavailable() Answer {
	return Error(http.StatusServiceUnavailable, "UNAVAILABLE", "The model is overloaded. Please try again later.")
}

// Redirect returns a redirect to another URL.
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

// merged returns the chunks of a stream as one response.
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
