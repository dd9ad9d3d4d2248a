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

// writeMessage writes the same JSON as the REST API. It formats the JSON again, because protojson varies the white
// space on purpose.
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

// paint returns a function that colours text if tty is set and the user wants
// colours.
func (con *console) paint(tty bool, attributes ...color.Attribute) func(string) string {
	c := color.New(attributes...)
	if !tty || con.noColor {
		c.DisableColor()
	} else {
		c.EnableColor()
	}
	return func(s string) string { return c.Sprint(s) }
}

// printable returns the output of a model so that it is safe to print. For a
// terminal it removes control characters, which could move the cursor, set the
// title or change other parts of the screen; line feeds and tabs stay.
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

// formatDuration formats a duration for people; "-" if there is none.
func formatDuration(d *durationpb.Duration) string {
	if d == nil {
		return "-"
	}
	return roundDuration(d.AsDuration())
}

// roundDuration formats a duration with two or three significant digits.
func roundDuration(d time.Duration) string {
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

func stateName(s gatewayv1.ModelState) string  { return enumName(s, "MODEL_STATE_") }
func priorityName(p gatewayv1.Priority) string { return enumName(p, "PRIORITY_") }

// servedLine returns a line that says which model answered and how long it took.
func servedLine(s *gatewayv1.ServedBy, usage *gatewayv1.Usage) string {
	parts := []string{s.GetModel()}
	if n := usage.GetCompletionTokenCount(); n > 0 {
		parts = append(parts, fmt.Sprintf("%d tokens", n))
		if d := s.GetInferenceDuration().AsDuration(); d > 0 {
			parts = append(parts, fmt.Sprintf("%.1f/s", float64(n)/d.Seconds()))
		}
	}
	if d := s.GetLoadDuration().AsDuration(); d > 0 {
		parts = append(parts, "loaded in "+roundDuration(d))
	}
	if s.GetFallback() {
		parts = append(parts, "fallback because of "+enumName(s.GetFallbackReason(), "FALLBACK_REASON_"))
	}
	return strings.Join(parts, " · ")
}

// terminalWidth returns the number of columns of a terminal.
func terminalWidth(f *os.File) int {
	const fallback = 80
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		return width
	}
	return fallback
}
