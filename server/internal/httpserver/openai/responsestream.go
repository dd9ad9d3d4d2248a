package openai

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/speech"
)

// responseEvent is an event of a response that is streamed.
type responseEvent struct {
	Type         string         `json:"type"`
	Sequence     int            `json:"sequence_number"`
	Response     *response      `json:"response,omitempty"`
	OutputIndex  *int           `json:"output_index,omitempty"`
	ItemID       string         `json:"item_id,omitempty"`
	Item         *outputItem    `json:"item,omitempty"`
	ContentIndex *int           `json:"content_index,omitempty"`
	Part         *contentPart   `json:"part,omitempty"`
	Delta        string         `json:"delta,omitempty"`
	Text         *string        `json:"text,omitempty"`
	Logprobs     []tokenLogprob `json:"logprobs,omitzero"`
	Name         string         `json:"name,omitempty"`
	Arguments    *string        `json:"arguments,omitempty"`
}

// errorEvent ends a stream that fails. The official clients raise an exception if an
// event has a field "error"; the others are those of the API.
type errorEvent struct {
	reply.OpenAIFailure
	reply.OpenAIBody
	Type     string `json:"type"`
	Sequence int    `json:"sequence_number"`
}

// streamResponse answers with events.
func (h *Handlers) streamResponse(w http.ResponseWriter, r *http.Request, typed *gatewayv1.ChatRequest, head *response) {
	ctx, err := h.opts.API.CallContext(r, gatewayv1.ModelGatewayService_StreamChat_FullMethodName)
	if err != nil {
		reply.OpenAIError(w, err)
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := &responseBuilder{events: h.newEvents(w), response: head}
	defer out.events.close()
	stream, piece, err := h.openChat(ctx, r, out.events, typed)
	for ; err == nil; piece, err = stream.Recv() {
		if piece.GetServedBy() != nil {
			speech.SetServedBy(w.Header(), piece.GetServedBy())
		}
		if err := out.add(piece); err != nil {
			return // the client is gone, or reads too slowly
		}
	}
	if !errors.Is(err, io.EOF) {
		out.fail(renamed(err))
		return
	}
	_ = out.finish() // fails only if the client is gone
}

// responseBuilder builds a response of the pieces of an answer.
type responseBuilder struct {
	response *response
	events   *events // nil if the response is answered as a whole
	sequence int
	begun    bool

	open     *outputItem // the last item, until it is complete
	text     strings.Builder
	logprobs []tokenLogprob // of the open item; those from unsent on were not sent
	unsent   int
	call     int32 // which call of the answer the open item is
	finished gatewayv1.FinishReason
	usage    *gatewayv1.Usage
}

// emit sends an event, if there is a stream.
func (b *responseBuilder) emit(kind string, e responseEvent) error {
	if b.events == nil {
		return nil
	}
	e.Type, e.Sequence = kind, b.sequence
	b.sequence++
	return b.events.sendNamed(kind, e)
}

// emitItem sends an event about the open item.
func (b *responseBuilder) emitItem(kind string, e responseEvent) error {
	last := len(b.response.Output) - 1
	e.OutputIndex = &last
	if e.Item == nil {
		e.ItemID = b.open.ID
	}
	return b.emit(kind, e)
}

// emitPart sends an event about the text of the open item, which is its only part.
func (b *responseBuilder) emitPart(kind string, e responseEvent) error {
	first := 0
	e.ContentIndex = &first
	return b.emitItem(kind, e)
}

func (b *responseBuilder) begin() error {
	if b.begun {
		return nil
	}
	b.begun = true
	if err := b.emit("response.created", responseEvent{Response: b.response}); err != nil {
		return err
	}
	return b.emit("response.in_progress", responseEvent{Response: b.response})
}

// add adds a piece of the answer.
func (b *responseBuilder) add(piece *gatewayv1.StreamChatResponse) error {
	if err := b.begin(); err != nil {
		return err
	}
	if l := logprobsOf(piece.GetLogprobs()); l != nil {
		b.logprobs = append(b.logprobs, l.Content...)
	}
	if text := piece.GetReasoningDelta(); text != "" {
		if err := b.addText("reasoning", text); err != nil {
			return err
		}
	}
	if text := piece.GetDelta(); text != "" {
		if err := b.addText("message", text); err != nil {
			return err
		}
	}
	for _, c := range piece.GetToolCallDeltas() {
		if err := b.addCall(c); err != nil {
			return err
		}
	}
	if piece.GetFinishReason() != gatewayv1.FinishReason_FINISH_REASON_UNSPECIFIED {
		b.finished = piece.GetFinishReason()
	}
	if piece.GetUsage() != nil {
		b.usage = piece.GetUsage()
	}
	return nil
}

// addText adds text to the open item, or to a new one if that is of another type.
func (b *responseBuilder) addText(kind, text string) error {
	if b.open == nil || b.open.Type != kind {
		if err := b.openText(kind); err != nil {
			return err
		}
	}
	b.text.WriteString(text)
	if kind == "reasoning" {
		return b.emitPart("response.reasoning_text.delta", responseEvent{Delta: text})
	}
	fresh := append([]tokenLogprob{}, b.logprobs[b.unsent:]...)
	b.unsent = len(b.logprobs)
	return b.emitPart("response.output_text.delta", responseEvent{Delta: text, Logprobs: fresh})
}

// openText begins a message, or thoughts.
func (b *responseBuilder) openText(kind string) error {
	item := &outputItem{Type: kind, Content: []*contentPart{}}
	part := &contentPart{Type: "reasoning_text"}
	if kind == "message" {
		item.ID, item.Role = newID("msg_"), "assistant"
		part.Type, part.Annotations, part.Logprobs = "output_text", []string{}, []tokenLogprob{}
	} else {
		item.ID, item.Summary = newID("rs_"), []string{}
	}
	if err := b.openItem(item); err != nil {
		return err
	}
	item.Content = append(item.Content, part)
	return b.emitPart("response.content_part.added", responseEvent{Part: part})
}

// addCall adds a piece of a call.
func (b *responseBuilder) addCall(piece *gatewayv1.ToolCallDelta) error {
	if b.open == nil || b.open.Type != "function_call" || b.call != piece.GetIndex() {
		empty := ""
		b.call = piece.GetIndex()
		err := b.openItem(&outputItem{ID: newID("fc_"), Type: "function_call", CallID: piece.GetId(), Name: piece.GetName(), Arguments: &empty})
		if err != nil {
			return err
		}
	}
	if piece.GetArgumentsDelta() == "" {
		return nil
	}
	b.text.WriteString(piece.GetArgumentsDelta())
	return b.emitItem("response.function_call_arguments.delta", responseEvent{Delta: piece.GetArgumentsDelta()})
}

// openItem ends the open item and begins another one.
func (b *responseBuilder) openItem(item *outputItem) error {
	if err := b.closeItem(completed); err != nil {
		return err
	}
	item.Status = inProgress
	b.open = item
	b.response.Output = append(b.response.Output, item)
	return b.emitItem("response.output_item.added", responseEvent{Item: item})
}

// closeItem ends the open item, if there is one.
func (b *responseBuilder) closeItem(status string) error {
	item := b.open
	if item == nil {
		return nil
	}
	text := b.text.String()
	b.text.Reset()
	item.Status = status
	var err error
	if item.Type == "function_call" {
		item.Arguments = &text
		err = b.emitItem("response.function_call_arguments.done", responseEvent{Name: item.Name, Arguments: &text})
	} else {
		err = b.closeText(item.Content[0], text)
	}
	if err != nil {
		return err
	}
	err = b.emitItem("response.output_item.done", responseEvent{Item: item})
	b.open = nil
	return err
}

func (b *responseBuilder) closeText(part *contentPart, text string) error {
	part.Text = text
	kind, logprobs := "response.reasoning_text.done", []tokenLogprob(nil)
	if b.open.Type == "message" {
		kind, logprobs = "response.output_text.done", append([]tokenLogprob{}, b.logprobs...)
		part.Logprobs, b.logprobs, b.unsent = logprobs, nil, 0
	}
	if err := b.emitPart(kind, responseEvent{Text: &text, Logprobs: logprobs}); err != nil {
		return err
	}
	return b.emitPart("response.content_part.done", responseEvent{Part: part})
}

// finish ends the response.
func (b *responseBuilder) finish() error {
	if err := b.begin(); err != nil {
		return err
	}
	if len(b.response.Output) == 0 { // an answer without text is an empty message
		if err := b.openText("message"); err != nil {
			return err
		}
	}
	status := completed
	switch b.finished {
	case gatewayv1.FinishReason_FINISH_REASON_LENGTH:
		status, b.response.IncompleteDetails = incomplete, &incompleteDetails{"max_output_tokens"}
	case gatewayv1.FinishReason_FINISH_REASON_SAFETY:
		status, b.response.IncompleteDetails = incomplete, &incompleteDetails{"content_filter"}
	}
	if err := b.closeItem(status); err != nil {
		return err
	}
	b.response.Usage = responseUsageOf(b.usage)
	if status == completed {
		now := time.Now().Unix()
		b.response.CompletedAt = &now
	}
	b.response.Status = status
	return b.emit("response."+status, responseEvent{Response: b.response})
}

// fail ends the stream with an error. If it has not begun, the answer is the error.
func (b *responseBuilder) fail(err error) {
	if !b.events.begun {
		reply.OpenAIError(b.events.w, err)
		return
	}
	body := reply.OpenAIBodyOf(err)
	code := map[string]string{"rate_limit_error": "rate_limit_exceeded", "invalid_request_error": "invalid_prompt"}[body.Error.Type]
	if code == "" {
		code = "server_error"
	}
	// A send fails only if the client is gone.
	_ = b.begin()
	_ = b.closeItem(incomplete)
	b.response.Status, b.response.Error = failed, &responseError{code, body.Error.Message}
	_ = b.emit("response.failed", responseEvent{Response: b.response})
	_ = b.events.sendNamed("error", errorEvent{OpenAIFailure: body.Error, OpenAIBody: body, Type: "error", Sequence: b.sequence})
}
