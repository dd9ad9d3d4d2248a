package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// maxInputBytes is the size limit of the API for one message.
const maxInputBytes = 1_000_000

// routingFlags select the models that may answer.
type routingFlags struct {
	Model      string `short:"m" placeholder:"NAME" help:"Use this model instead of the one configured for the task."`
	LocalOnly  bool   `help:"Use only models on the server's machine."`
	NoFallback bool   `help:"Do not fall back to another model."`
	Stats      bool   `help:"Print which model answered and how fast. Always on if standard error is a terminal."`
}

func (r routingFlags) routing() *gatewayv1.Routing {
	return &gatewayv1.Routing{LocalOnly: r.LocalOnly, NoFallback: r.NoFallback}
}

// printServed prints which model answered, if the user wants to know or if it was
// a fallback.
func (r routingFlags) printServed(con *console, served *gatewayv1.ServedBy, usage *gatewayv1.Usage) {
	if r.Stats || con.errTTY || served.GetFallback() {
		fmt.Fprintln(con.err, con.paint(con.errTTY, dim)(servedLine(served, usage)))
	}
	if served.GetWarning() != "" {
		fmt.Fprintln(con.err, con.paint(con.errTTY, dim)("warning: "+served.GetWarning()))
	}
}

// samplingFlags are the sampling options. For those not set, the model's defaults apply.
type samplingFlags struct {
	Temperature      *float32 `placeholder:"NUMBER" help:"Randomness: 0 always picks the likeliest token, 2 is the maximum."`
	TopP             *float32 `name:"top-p" placeholder:"NUMBER" help:"Sample from the likeliest tokens up to this total probability (above 0, at most 1)."`
	TopK             *int32   `name:"top-k" placeholder:"NUMBER" help:"Sample from this many of the likeliest tokens."`
	MinP             *float32 `name:"min-p" placeholder:"NUMBER" help:"Ignore tokens less likely than this fraction of the likeliest one."`
	RepeatPenalty    *float32 `placeholder:"NUMBER" help:"Divisor of the logits of tokens already used."`
	PresencePenalty  *float32 `placeholder:"NUMBER" help:"Subtracted from the logits of tokens already used."`
	FrequencyPenalty *float32 `placeholder:"NUMBER" help:"Subtracted from a token's logit for each earlier use."`
	Seed             *uint32  `placeholder:"NUMBER" help:"Random seed. The same seed usually gives the same answer, but a cached prefix or other requests can change it."`
	MaxTokens        *int32   `placeholder:"NUMBER" help:"Maximum length of the answer, in tokens."`
	Stop             []string `sep:"none" placeholder:"TEXT" help:"Stop before this text. Can be repeated."`
}

func (s samplingFlags) options() *gatewayv1.SamplingOptions {
	return &gatewayv1.SamplingOptions{
		Temperature: s.Temperature, TopP: s.TopP, TopK: s.TopK, MinP: s.MinP, RepeatPenalty: s.RepeatPenalty,
		PresencePenalty: s.PresencePenalty, FrequencyPenalty: s.FrequencyPenalty, Seed: s.Seed,
		MaxTokens: s.MaxTokens, Stop: s.Stop,
	}
}

type chatCommand struct {
	Text     []string `arg:"" optional:"" help:"Message. Default: a conversation on a terminal, otherwise standard input."`
	System   string   `short:"s" placeholder:"TEXT" help:"System prompt: instructions to the model."`
	Thinking bool     `help:"Let a reasoning model think before it answers."`
	routingFlags
	samplingFlags
}

// Run sends one message, or holds a conversation.
func (c chatCommand) Run(ctx context.Context, g *globals, con *console) error {
	if len(c.Text) == 0 && con.inTTY {
		return c.converse(ctx, g, con)
	}
	text, err := input(c.Text, con)
	if err != nil {
		return err
	}
	return g.withClient(ctx, func(ctx context.Context, client *modelgateway.Client) error {
		_, err := c.answer(ctx, client, c.opening(text), g, con)
		return err
	})
}

// opening returns the first messages of a conversation.
func (c chatCommand) opening(text string) []*gatewayv1.ChatMessage {
	var messages []*gatewayv1.ChatMessage
	if c.System != "" {
		messages = append(messages, &gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_SYSTEM, Content: c.System})
	}
	return append(messages, &gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_USER, Content: text})
}

// answer prints an answer as it arrives and returns it. With an error, it returns
// the part that arrived.
func (c chatCommand) answer(ctx context.Context, client *modelgateway.Client, messages []*gatewayv1.ChatMessage, g *globals, con *console) (string, error) {
	status := startStatus(ctx, client, con, g.JSON)
	defer status.stop()
	stream, err := client.StreamChat(ctx, &gatewayv1.StreamChatRequest{
		Messages: messages, Sampling: c.options(), Thinking: c.Thinking, Model: c.Model, Routing: c.routing(),
	})
	if err != nil {
		return "", err
	}
	var text strings.Builder
	var last *gatewayv1.StreamChatResponse
	for {
		piece, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		status.stop()
		if err == nil {
			text.WriteString(piece.GetDelta())
			last = piece
			err = c.show(piece, g, con)
		}
		if err != nil {
			if text.Len() > 0 && !g.JSON {
				fmt.Fprintln(con.out)
			}
			return text.String(), err
		}
	}
	status.stop()
	if !g.JSON {
		fmt.Fprintln(con.out)
		if last.GetFinishReason() == gatewayv1.FinishReason_FINISH_REASON_LENGTH {
			fmt.Fprintln(con.err, con.paint(con.errTTY, dim)("(the answer reached the token limit: raise --max-tokens for more)"))
		}
		c.printServed(con, last.GetServedBy(), last.GetUsage())
	}
	return text.String(), nil
}

func (c chatCommand) show(piece *gatewayv1.StreamChatResponse, g *globals, con *console) error {
	if g.JSON {
		return writeJSONLine(con.out, piece)
	}
	_, err := io.WriteString(con.out, con.printable(piece.GetDelta()))
	return err
}

// input returns the text of the arguments, or standard input if there are none.
func input(args []string, con *console) (string, error) {
	text := strings.Join(args, " ")
	if len(args) == 0 || len(args) == 1 && args[0] == "-" {
		b, err := io.ReadAll(io.LimitReader(con.in, maxInputBytes+1))
		if err != nil {
			return "", fmt.Errorf("cannot read standard input: %w", err)
		}
		text = strings.TrimRight(string(b), "\r\n")
	}
	switch {
	case strings.TrimSpace(text) == "":
		return "", usagef("no text: give it as arguments or on standard input")
	case len(text) > maxInputBytes:
		return "", usagef("the text is longer than %d bytes", maxInputBytes)
	case !utf8.ValidString(text):
		return "", usagef("the text is not valid UTF-8")
	}
	return text, nil
}
