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

// maxInputBytes is the most that the API takes in one message.
const maxInputBytes = 1_000_000

// routingFlags say who may answer.
type routingFlags struct {
	Model      string `short:"m" placeholder:"NAME" help:"Model to ask instead of the task's own."`
	LocalOnly  bool   `help:"Never ask a model outside this machine."`
	NoFallback bool   `help:"Ask no other model if the first cannot answer."`
	Stats      bool   `help:"Tell afterwards who answered and how fast; always told on a terminal."`
}

func (r routingFlags) routing() *gatewayv1.Routing {
	return &gatewayv1.Routing{LocalOnly: r.LocalOnly, NoFallback: r.NoFallback}
}

// told prints who answered, where that is wanted or a surprise.
func (r routingFlags) told(con *console, served *gatewayv1.ServedBy, usage *gatewayv1.Usage) {
	if r.Stats || con.errTTY || served.GetFallback() {
		fmt.Fprintln(con.err, con.paint(con.errTTY, dim)(servedLine(served, usage)))
	}
}

// samplingFlags choose tokens; unset ones are left to the model.
type samplingFlags struct {
	Temperature      *float32 `placeholder:"NUMBER" help:"0 is greedy, 2 the wildest."`
	TopP             *float32 `name:"top-p" placeholder:"NUMBER" help:"Nucleus sampling, above 0 to 1."`
	TopK             *int32   `name:"top-k" placeholder:"NUMBER" help:"Only the k likeliest tokens."`
	MinP             *float32 `name:"min-p" placeholder:"NUMBER" help:"Only tokens this likely beside the likeliest."`
	RepeatPenalty    *float32 `placeholder:"NUMBER" help:"Divides the logits of tokens already seen."`
	PresencePenalty  *float32 `placeholder:"NUMBER" help:"Subtracted from the logits of tokens already seen."`
	FrequencyPenalty *float32 `placeholder:"NUMBER" help:"Subtracted once per earlier occurrence."`
	Seed             *uint32  `placeholder:"NUMBER" help:"Makes sampling repeatable."`
	MaxTokens        *int32   `placeholder:"NUMBER" help:"Most tokens of an answer."`
	Stop             []string `sep:"none" placeholder:"TEXT" help:"End before this text; may be repeated."`
}

func (s samplingFlags) options() *gatewayv1.SamplingOptions {
	return &gatewayv1.SamplingOptions{
		Temperature: s.Temperature, TopP: s.TopP, TopK: s.TopK, MinP: s.MinP, RepeatPenalty: s.RepeatPenalty,
		PresencePenalty: s.PresencePenalty, FrequencyPenalty: s.FrequencyPenalty, Seed: s.Seed,
		MaxTokens: s.MaxTokens, Stop: s.Stop,
	}
}

type chatCommand struct {
	Text     []string `arg:"" optional:"" help:"What to say. None: a conversation on a terminal, else standard input."`
	System   string   `short:"s" placeholder:"TEXT" help:"Instructions to the model."`
	Thinking bool     `help:"Let a reasoning model think first."`
	routingFlags
	samplingFlags
}

// Run answers one message, or holds a conversation.
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

// opening returns a conversation's first messages.
func (c chatCommand) opening(text string) []*gatewayv1.ChatMessage {
	var messages []*gatewayv1.ChatMessage
	if c.System != "" {
		messages = append(messages, &gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_SYSTEM, Content: c.System})
	}
	return append(messages, &gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_USER, Content: text})
}

// answer prints an answer as it arrives and returns it, as far as it came.
func (c chatCommand) answer(ctx context.Context, client *modelgateway.Client, messages []*gatewayv1.ChatMessage, g *globals, con *console) (string, error) {
	wait := startWaiting(ctx, client, con, g.JSON)
	defer wait.stop()
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
		wait.stop()
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
	wait.stop()
	if !g.JSON {
		fmt.Fprintln(con.out)
		if last.GetFinishReason() == gatewayv1.FinishReason_FINISH_REASON_LENGTH {
			fmt.Fprintln(con.err, con.paint(con.errTTY, dim)("(cut off: raise --max-tokens for more)"))
		}
		c.told(con, last.GetServedBy(), last.GetUsage())
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

// input returns the text of the arguments, or of standard input without any.
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
		return "", usagef("there is no text: give it as arguments or on standard input")
	case len(text) > maxInputBytes:
		return "", usagef("the text is longer than %d bytes", maxInputBytes)
	case !utf8.ValidString(text):
		return "", usagef("the text is not UTF-8")
	}
	return text, nil
}
