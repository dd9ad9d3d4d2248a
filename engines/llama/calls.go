package llama

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"unicode"

	"github.com/lexilingo/modelgateway/engines/llama/chatprompt"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// callReader divides the text of an answer into content and calls of tools. The grammar
// of the answer ensures that calls are complete; see package jsongrammar.
type callReader struct {
	format  chatprompt.CallFormat
	trigger string
	state   callState
	held    string // text that is not decided yet
	index   int32  // of the current call
	depth   int    // of the arguments
	quoted  bool
	escaped bool
}

type callState int

const (
	inContent callState = iota
	onlyContent
	inName
	inArguments
	afterArguments
)

func newCallReader(format chatprompt.CallFormat) *callReader {
	return &callReader{format: format, trigger: format.Trigger(), index: -1}
}

// push adds text, and returns the content and the pieces of calls that cannot change any
// more.
func (r *callReader) push(text string) (content string, deltas []*gatewayv1.ToolCallDelta) {
	r.held += text
	for {
		before := r.state
		content += r.content()
		if d := r.name(); d != nil {
			deltas = append(deltas, d)
		}
		if d := r.arguments(); d != nil {
			deltas = append(deltas, d)
		}
		r.next()
		if r.state == before {
			return content, deltas
		}
	}
}

// flush returns content that was held back, and whether the answer ends with complete
// calls.
func (r *callReader) flush() (content string, called bool) {
	if r.state == inContent {
		content, r.held = r.held, ""
	}
	return content, r.state == afterArguments
}

// content takes content from what is held, up to a call.
func (r *callReader) content() string {
	var out string
	switch {
	case r.state == onlyContent:
		out, r.held = r.held, ""
	case r.state != inContent:
	case r.trigger == "" && strings.HasPrefix(r.held, r.format.Prefix):
		r.held, r.state = r.held[len(r.format.Prefix):], inName
	case r.trigger == "" && !strings.HasPrefix(r.format.Prefix, r.held):
		r.state = onlyContent
	case r.trigger == "":
	default:
		out = r.contentBeforeTrigger()
	}
	return out
}

func (r *callReader) contentBeforeTrigger() string {
	before, after, found := strings.Cut(r.held, r.trigger)
	words := strings.TrimRightFunc(before, unicode.IsSpace)
	if !found {
		keep := min(len(words), len(r.held)-endPrefix(r.held, r.trigger))
		keep = len(strings.TrimRightFunc(r.held[:keep], unicode.IsSpace))
		out := r.held[:keep]
		r.held = r.held[keep:]
		return out
	}
	_, rest, _ := strings.Cut(r.format.Prefix, r.trigger)
	if !strings.HasPrefix(after, rest) {
		r.held = r.held[len(words):] // wait for the rest of the prefix
		return words
	}
	r.held, r.state = after[len(rest):], inName
	return words
}

// endPrefix returns the length of the longest proper prefix of mark at the end of text.
func endPrefix(text, mark string) int {
	for n := min(len(text), len(mark)-1); n > 0; n-- {
		if strings.HasSuffix(text, mark[:n]) {
			return n
		}
	}
	return 0
}

// name takes the name of a call.
func (r *callReader) name() *gatewayv1.ToolCallDelta {
	if r.state != inName {
		return nil
	}
	name, rest, found := strings.Cut(r.held, r.format.Middle)
	if !found {
		return nil
	}
	r.held, r.state = rest, inArguments
	r.index++
	r.depth, r.quoted, r.escaped = 0, false, false
	return &gatewayv1.ToolCallDelta{Index: r.index, Id: r.newID(), Name: name}
}

// arguments takes the arguments of a call, a JSON object.
func (r *callReader) arguments() *gatewayv1.ToolCallDelta {
	if r.state != inArguments {
		return nil
	}
	n := 0
	for n < len(r.held) && r.state == inArguments {
		r.scan(r.held[n])
		n++
	}
	if n == 0 {
		return nil
	}
	out := &gatewayv1.ToolCallDelta{Index: r.index, ArgumentsDelta: r.held[:n]}
	r.held = r.held[n:]
	return out
}

// scan reads a byte of the arguments.
func (r *callReader) scan(ch byte) {
	switch {
	case r.escaped:
		r.escaped = false
	case r.quoted:
		r.escaped = ch == '\\'
		r.quoted = ch != '"'
	case ch == '"':
		r.quoted = true
	case ch == '{' || ch == '[':
		r.depth++
	case ch == '}' || ch == ']':
		if r.depth--; r.depth == 0 {
			r.state = afterArguments
		}
	}
}

// next begins the next call if what is held leads to one.
func (r *callReader) next() {
	if r.state != afterArguments || r.format.Between == "" {
		return
	}
	before, after, withID := strings.Cut(r.format.Between, chatprompt.CallID)
	if !withID {
		if strings.HasPrefix(r.held, r.format.Between) {
			r.held, r.state = r.held[len(r.format.Between):], inName
		}
		return
	}
	size := len(before) + len(chatprompt.CallID)
	if strings.HasPrefix(r.held, before) && len(r.held) >= size+len(after) && strings.HasPrefix(r.held[size:], after) {
		r.held, r.state = r.held[size+len(after):], inName
	}
}

// newID returns an ID for a call, in the form that the template wants.
func (r *callReader) newID() string {
	if r.format.IDs {
		return rand.Text()[:len(chatprompt.CallID)]
	}
	return "call_" + rand.Text()
}

// templateID returns an ID of a caller in the form that the template wants.
func templateID(format chatprompt.CallFormat, id string) string {
	if !format.IDs || len(id) == len(chatprompt.CallID) {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return base32.StdEncoding.EncodeToString(sum[:])[:len(chatprompt.CallID)]
}
