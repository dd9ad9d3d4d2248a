package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/dustin/go-humanize"
	"github.com/fatih/color"
	"golang.org/x/term"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// writeJSON prints a message indented, with every field.
func writeJSON(w io.Writer, m proto.Message) error {
	return writeMessage(w, m, func(b *bytes.Buffer, raw []byte) error { return json.Indent(b, raw, "", "  ") })
}

// writeJSONLine prints a message on one line, with every field.
func writeJSONLine(w io.Writer, m proto.Message) error {
	return writeMessage(w, m, json.Compact)
}

// writeMessage writes the JSON of the REST API. It lays the JSON out anew, because protojson varies its spaces on
// purpose.
func writeMessage(w io.Writer, m proto.Message, layout func(*bytes.Buffer, []byte) error) error {
	raw, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(m)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := layout(&b, raw); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err = w.Write(b.Bytes())
	return err
}

// paint returns a function that colours text for the stream, or leaves it.
func (con *console) paint(tty bool, attributes ...color.Attribute) func(string) string {
	c := color.New(attributes...)
	if !tty || con.plainColor {
		c.DisableColor()
	} else {
		c.EnableColor()
	}
	return func(s string) string { return c.Sprint(s) }
}

// printable returns text that a model wrote as it may go to standard output. On a
// terminal it loses its control characters, which could move the cursor, set the
// title or change what else is on the screen; line feeds and tabs stay.
func (con *console) printable(text string) string {
	if !con.outTTY {
		return text
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text)
}

func size(bytes int64) string {
	if bytes <= 0 {
		return "-"
	}
	return humanize.IBytes(uint64(bytes))
}

// span prints a duration at a precision that a person wants.
func span(d *durationpb.Duration) string {
	if d == nil {
		return "-"
	}
	return spanOf(d.AsDuration())
}

func spanOf(d time.Duration) string {
	switch {
	case d >= time.Minute:
		d = d.Round(time.Second)
	case d >= time.Second:
		d = d.Round(100 * time.Millisecond)
	default:
		d = d.Round(time.Millisecond)
	}
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = strings.TrimSuffix(s, zero[1:])
		}
	}
	return s
}

// enumName returns an enum value's name without its prefix, in lower case.
func enumName(value fmt.Stringer, prefix string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(value.String(), prefix), "_", " "))
}

func stateName(s gatewayv1.ModelState) string        { return enumName(s, "MODEL_STATE_") }
func priorityName(p gatewayv1.Priority) string       { return enumName(p, "PRIORITY_") }
func evictionName(r gatewayv1.EvictionReason) string { return enumName(r, "EVICTION_REASON_") }

// servedLine tells who answered and how long it took.
func servedLine(s *gatewayv1.ServedBy, usage *gatewayv1.Usage) string {
	parts := []string{s.GetModel()}
	if n := usage.GetCompletionTokenCount(); n > 0 {
		parts = append(parts, fmt.Sprintf("%d tokens", n))
		if d := s.GetInferenceDuration().AsDuration(); d > 0 {
			parts = append(parts, fmt.Sprintf("%.1f/s", float64(n)/d.Seconds()))
		}
	}
	if d := s.GetLoadDuration().AsDuration(); d > 0 {
		parts = append(parts, "loaded in "+spanOf(d))
	}
	if s.GetFallback() {
		parts = append(parts, "in place of the task's own model: "+enumName(s.GetFallbackReason(), "FALLBACK_REASON_"))
	}
	return strings.Join(parts, " · ")
}

// terminalWidth is how many columns a terminal has.
func terminalWidth(f *os.File) int {
	const usual = 80
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		return width
	}
	return usual
}
