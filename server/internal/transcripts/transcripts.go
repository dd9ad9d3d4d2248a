// Package transcripts writes transcripts as text, as subtitles, and as the verbose JSON
// of OpenAI's API.
package transcripts

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Text returns the text of a transcript with a line end.
func Text(t *gatewayv1.Transcript) string { return strings.TrimSpace(t.GetText()) + "\n" }

// SRT returns a transcript as SubRip subtitles, one for each segment.
func SRT(t *gatewayv1.Transcript) string {
	var out strings.Builder
	for i, s := range t.GetSegments() {
		fmt.Fprintf(&out, "%d\n%s --> %s\n%s\n\n", i+1, clock(s.GetStart().AsDuration(), ","), clock(s.GetEnd().AsDuration(), ","), oneLine(s.GetText()))
	}
	return out.String()
}

// VTT returns a transcript as WebVTT, one cue for each segment.
func VTT(t *gatewayv1.Transcript) string {
	var out strings.Builder
	out.WriteString("WEBVTT\n\n")
	for _, s := range t.GetSegments() {
		fmt.Fprintf(&out, "%s --> %s\n%s\n\n", clock(s.GetStart().AsDuration(), "."), clock(s.GetEnd().AsDuration(), "."), cueText.Replace(oneLine(s.GetText())))
	}
	return out.String()
}

// Space returns what stands between two segments, of which the second is text: a space,
// unless it begins in a script without spaces.
func Space(text string) string {
	first, _ := utf8.DecodeRuneInString(text)
	if unicode.In(first, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) {
		return ""
	}
	return " "
}

// cueText escapes what has a meaning in the text of a cue.
var cueText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// oneLine returns a text without line ends: an empty line would end a subtitle.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// clock returns a time as hours, minutes and seconds, with milliseconds after point.
func clock(d time.Duration, point string) string {
	ms := max(0, d).Milliseconds()
	return fmt.Sprintf("%02d:%02d:%02d%s%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, point, ms%1000)
}
