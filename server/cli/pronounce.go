package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/fatih/color"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// maxClipBytes is the size limit of the API for a recording to score.
const maxClipBytes = 64 << 20

// Lowest scores of what is shown as good and as fair.
const (
	goodScore = 80
	fairScore = 60
)

type pronounceCommand struct {
	File string `arg:"" help:"Recording of someone reading the text; \"-\" is standard input."`
	Text string `short:"t" required:"" placeholder:"TEXT" help:"The text that was read."`
	recordingFlags
	routingFlags
}

// Help returns the text that --help prints after the summary.
func (pronounceCommand) Help() string {
	return `Examples:
  modelgateway pronounce reading.wav --text "The quick brown fox."
  arecord -f S16_LE -r 16000 -d 5 | modelgateway pronounce - -t "Good morning."

On a terminal the letters are coloured by their scores. Otherwise each word is
printed on its own line.`
}

// Run scores a recording.
func (c pronounceCommand) Run(ctx context.Context, g *globals, con *console) error {
	if strings.TrimSpace(c.Text) == "" {
		return usagef("no text: give it with --text")
	}
	recording, _, err := openRecording(c.File, con)
	if err != nil {
		return err
	}
	defer func() { _ = recording.Close() }()
	clip, err := io.ReadAll(io.LimitReader(recording, maxClipBytes+1))
	switch {
	case err != nil:
		return fmt.Errorf("cannot read the recording: %w", err)
	case len(clip) > maxClipBytes:
		return usagef("the recording is larger than %s", size(maxClipBytes))
	}
	return answer(ctx, g, con, func(ctx context.Context, client *modelgateway.Client) (*gatewayv1.PronunciationResponse, error) {
		return client.Pronunciation(ctx, &gatewayv1.PronunciationRequest{
			Format: c.format(), Audio: clip, ReferenceText: c.Text, Model: c.Model, Routing: c.routing(),
		})
	}, func(res *gatewayv1.PronunciationResponse) error {
		err := writePronunciation(con, res)
		c.printServed(con, res.GetServedBy(), nil)
		return err
	})
}

// writePronunciation prints the words and the scores. With colours, the words are
// on one line, and below it those with an error.
func writePronunciation(con *console, res *gatewayv1.PronunciationResponse) error {
	coloured := con.outTTY && !con.noColor
	if coloured {
		p := newPainter(con)
		line := make([]string, len(res.GetWords()))
		for i, w := range res.GetWords() {
			line[i] = p.word(w)
		}
		fmt.Fprintf(con.out, "%s\n\n%s\n\n", strings.Join(line, " "), p.legend(unitName(res.GetUnit())))
	}
	for _, w := range res.GetWords() {
		if !coloured || w.GetErrorType() != gatewayv1.PronunciationErrorType_PRONUNCIATION_ERROR_TYPE_NONE {
			fmt.Fprintln(con.out, wordLine(con, w))
		}
	}
	estimated := ""
	if res.GetEstimated() {
		estimated = " (estimated by a general model)"
	}
	_, err := fmt.Fprintf(con.out, "overall %.0f · accuracy %.0f · fluency %.0f · completeness %.0f%s\n", res.GetOverallScore(),
		res.GetAccuracyScore(), res.GetFluencyScore(), res.GetCompletenessScore(), estimated)
	return err
}

// wordLine returns the score and the errors of one word.
func wordLine(con *console, w *gatewayv1.PronouncedWord) string {
	line := fmt.Sprintf("  %3.0f  %s", w.GetScore(), con.printable(w.GetText()))
	switch w.GetErrorType() {
	case gatewayv1.PronunciationErrorType_PRONUNCIATION_ERROR_TYPE_OMISSION:
		return fmt.Sprintf("    -  %s  [left out]", con.printable(w.GetText()))
	case gatewayv1.PronunciationErrorType_PRONUNCIATION_ERROR_TYPE_INSERTION:
		return fmt.Sprintf("    -  %s  [not in the text]", con.printable(w.GetText()))
	case gatewayv1.PronunciationErrorType_PRONUNCIATION_ERROR_TYPE_MISPRONUNCIATION:
		line += "  [mispronounced]"
	}
	for _, u := range w.GetUnits() {
		if u.GetHeard() != "" {
			line += fmt.Sprintf("  %s → %s", con.printable(u.GetSymbol()), con.printable(u.GetHeard()))
		}
	}
	return line
}

func unitName(u gatewayv1.PronunciationUnit) string {
	if u == gatewayv1.PronunciationUnit_PRONUNCIATION_UNIT_PHONEME {
		return "phonemes"
	}
	return "letters"
}

// painter colours words by their scores.
type painter struct {
	con                                *console
	good, fair, bad, omitted, inserted func(string) string
}

func newPainter(con *console) *painter {
	return &painter{
		con:  con,
		good: con.paint(true, color.FgGreen), fair: con.paint(true, color.FgYellow), bad: con.paint(true, color.FgRed, color.Bold),
		omitted: con.paint(true, color.FgRed, color.CrossedOut), inserted: con.paint(true, color.FgMagenta),
	}
}

// forScore returns the colour of a score.
func (p *painter) forScore(score float32) func(string) string {
	switch {
	case score >= goodScore:
		return p.good
	case score >= fairScore:
		return p.fair
	}
	return p.bad
}

// word paints a word: each letter or phoneme that has a score separately.
func (p *painter) word(w *gatewayv1.PronouncedWord) string {
	text := p.con.printable(w.GetText())
	switch w.GetErrorType() {
	case gatewayv1.PronunciationErrorType_PRONUNCIATION_ERROR_TYPE_OMISSION:
		return p.omitted(text)
	case gatewayv1.PronunciationErrorType_PRONUNCIATION_ERROR_TYPE_INSERTION:
		return p.inserted("(" + text + ")")
	}
	units := w.GetUnits()
	letters := strings.Count(strings.Map(letter, text), "x")
	var b strings.Builder
	switch {
	case len(units) == 0:
		return p.forScore(w.GetScore())(text)
	case letters == len(units): // each letter of the text has a score: keep its case and punctuation
		for _, r := range text {
			if letter(r) < 0 {
				b.WriteRune(r)
				continue
			}
			b.WriteString(p.forScore(units[0].GetScore())(string(r)))
			units = units[1:]
		}
	default:
		for _, u := range units {
			b.WriteString(p.forScore(u.GetScore())(p.con.printable(u.GetSymbol())))
		}
	}
	return b.String()
}

// letter maps characters that can have a score to x, and drops the others.
func letter(r rune) rune {
	if unicode.IsLetter(r) || r == '\'' {
		return 'x'
	}
	return -1
}

// legend explains the colours.
func (p *painter) legend(units string) string {
	return fmt.Sprintf("%s: %s  %s  %s   %s  %s", units, p.good(fmt.Sprintf("%d or more", goodScore)), p.fair(fmt.Sprintf("%d or more", fairScore)),
		p.bad("less"), p.omitted("left out"), p.inserted("(not in the text)"))
}
