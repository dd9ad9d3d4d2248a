package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/fatih/color"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

type grammarCommand struct {
	Text       []string `arg:"" optional:"" help:"Text to correct. Default: standard input."`
	Vietnamese bool     `help:"Explain the corrections in Vietnamese."`
	routingFlags
	samplingFlags
}

// Run corrects a text.
func (c grammarCommand) Run(ctx context.Context, g *globals, con *console) error {
	text, err := input(c.Text, con)
	if err != nil {
		return err
	}
	language := gatewayv1.ExplanationLanguage_EXPLANATION_LANGUAGE_ENGLISH
	if c.Vietnamese {
		language = gatewayv1.ExplanationLanguage_EXPLANATION_LANGUAGE_VIETNAMESE
	}
	return answer(ctx, g, con, func(ctx context.Context, client *modelgateway.Client) (*gatewayv1.GrammarResponse, error) {
		return client.Grammar(ctx, &gatewayv1.GrammarRequest{
			Text: text, ExplanationLanguage: language, Sampling: c.options(), Model: c.Model, Routing: c.routing(),
		})
	}, func(res *gatewayv1.GrammarResponse) error {
		err := writeGrammar(con, text, res)
		c.printServed(con, res.GetServedBy(), res.GetUsage())
		return err
	})
}

// writeGrammar prints the corrected text, or with colours the original text with
// the edits marked in it, and a list of the edits.
func writeGrammar(con *console, text string, res *gatewayv1.GrammarResponse) error {
	if con.outTTY && !con.noColor {
		fmt.Fprintln(con.out, inline(con, text, res.GetEdits()))
	} else {
		fmt.Fprintln(con.out, con.printable(res.GetCorrectedText()))
	}
	for _, e := range res.GetEdits() {
		fmt.Fprintf(con.out, "  %d-%d  %s", e.GetStartOffset(), e.GetEndOffset(), changeText(e))
		if t := e.GetErrorType(); t != gatewayv1.GrammarErrorType_GRAMMAR_ERROR_TYPE_UNSPECIFIED {
			fmt.Fprintf(con.out, "  [%s]", enumName(t, "GRAMMAR_ERROR_TYPE_"))
		}
		if e.GetExplanation() != "" {
			fmt.Fprint(con.out, "  "+con.printable(e.GetExplanation()))
		}
		fmt.Fprintln(con.out)
	}
	_, err := fmt.Fprintf(con.out, "score %.0f\n", res.GetScore())
	return err
}

func changeText(e *gatewayv1.GrammarEdit) string {
	switch {
	case e.GetOriginal() == "":
		return fmt.Sprintf("add %q", e.GetReplacement())
	case e.GetReplacement() == "":
		return fmt.Sprintf("remove %q", e.GetOriginal())
	}
	return fmt.Sprintf("%q → %q", e.GetOriginal(), e.GetReplacement())
}

// inline marks the edits in the text: removed text is red and crossed out, added
// text is green.
func inline(con *console, text string, edits []*gatewayv1.GrammarEdit) string {
	removed := con.paint(con.outTTY, color.FgRed, color.CrossedOut)
	added := con.paint(con.outTTY, color.FgGreen)
	runes := []rune(text)
	var b strings.Builder
	at := 0
	for _, e := range edits {
		start, end := int(e.GetStartOffset()), int(e.GetEndOffset())
		if start < at || end < start || end > len(runes) {
			continue // the offsets do not belong to this text
		}
		b.WriteString(con.printable(string(runes[at:start])))
		if end > start {
			b.WriteString(removed(con.printable(string(runes[start:end]))))
		}
		if e.GetReplacement() != "" {
			b.WriteString(added(con.printable(e.GetReplacement())))
		}
		at = end
	}
	b.WriteString(con.printable(string(runes[at:])))
	return b.String()
}

type respondCommand struct {
	Text   []string `arg:"" optional:"" help:"What the learner says. Default: standard input."`
	Level  string   `help:"The learner's CEFR level: ${enum}." enum:"A1,A2,B1,B2,C1,C2" default:"B1"`
	System string   `short:"s" placeholder:"TEXT" help:"System prompt to use instead of the tutor's."`
	routingFlags
	samplingFlags
}

// Run replies to a learner.
func (c respondCommand) Run(ctx context.Context, g *globals, con *console) error {
	text, err := input(c.Text, con)
	if err != nil {
		return err
	}
	return answer(ctx, g, con, func(ctx context.Context, client *modelgateway.Client) (*gatewayv1.RespondResponse, error) {
		return client.Respond(ctx, &gatewayv1.RespondRequest{
			Text: text, Level: c.Level, SystemPrompt: c.System, Sampling: c.options(), Model: c.Model, Routing: c.routing(),
		})
	}, func(res *gatewayv1.RespondResponse) error {
		_, err := io.WriteString(con.out, con.printable(res.GetText())+"\n")
		c.printServed(con, res.GetServedBy(), res.GetUsage())
		return err
	})
}

type explainCommand struct {
	Text     []string `arg:"" optional:"" help:"English text to explain. Default: standard input."`
	Question string   `short:"q" placeholder:"TEXT" help:"Question about the text. Default: its meaning and use."`
	routingFlags
	samplingFlags
}

// Run explains English in Vietnamese.
func (c explainCommand) Run(ctx context.Context, g *globals, con *console) error {
	text, err := input(c.Text, con)
	if err != nil {
		return err
	}
	return answer(ctx, g, con, func(ctx context.Context, client *modelgateway.Client) (*gatewayv1.ExplainVietnameseResponse, error) {
		return client.ExplainVietnamese(ctx, &gatewayv1.ExplainVietnameseRequest{
			Text: text, Question: c.Question, Sampling: c.options(), Model: c.Model, Routing: c.routing(),
		})
	}, func(res *gatewayv1.ExplainVietnameseResponse) error {
		_, err := io.WriteString(con.out, con.printable(res.GetExplanation())+"\n")
		c.printServed(con, res.GetServedBy(), res.GetUsage())
		return err
	})
}
