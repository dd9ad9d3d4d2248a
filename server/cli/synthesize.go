package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"google.golang.org/protobuf/types/known/durationpb"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

type synthesizeCommand struct {
	Text            []string       `arg:"" optional:"" help:"What to say. None, or \"-\": standard input."`
	Output          string         `short:"o" placeholder:"FILE" help:"WAV file to write; \"-\" is standard output, which is also the default."`
	Raw             bool           `help:"Write samples without a header: 16-bit little-endian, mono."`
	Voice           string         `placeholder:"NAME" help:"Voice to speak with: a model's name, as --model."`
	Speaker         string         `placeholder:"NAME" help:"Speaker of a voice with several, by name or number."`
	Speed           *float32       `placeholder:"NUMBER" help:"2 is twice as fast; 0.25 to 4."`
	Volume          *float32       `placeholder:"NUMBER" help:"Factor on the samples; 0 to 2."`
	NoiseScale      *float32       `placeholder:"NUMBER" help:"Variation of the sound; 0 to 2."`
	NoiseW          *float32       `name:"noise-w" placeholder:"NUMBER" help:"Variation of the phonemes' lengths; 0 to 2."`
	SentenceSilence *time.Duration `placeholder:"DURATION" help:"Silence after each sentence, at most 10s."`
	Phonemes        bool           `help:"The text is phonemes, as the voice writes them."`
	routingFlags
}

// Help is told below the flags' list.
func (synthesizeCommand) Help() string {
	return `Examples:
  modelgateway synthesize -o hello.wav "Hello there."
  modelgateway synthesize --voice piper --speed 0.8 < story.txt | aplay
  modelgateway synthesize --raw "Hello." | aplay -f S16_LE -r 22050

Into a pipe, sound leaves sentence by sentence, before the whole is made.
With --json, a line tells of each piece; the sound is in it unless it goes to a
file.`
}

// Run speaks a text.
func (c synthesizeCommand) Run(ctx context.Context, g *globals, con *console) error {
	if err := c.check(g, con); err != nil {
		return err
	}
	text, err := input(c.Text, con)
	if err != nil {
		return err
	}
	return g.withClient(ctx, func(ctx context.Context, client *modelgateway.Client) error {
		return c.speak(ctx, client, text, g, con)
	})
}

// toFile tells whether the sound goes to a file.
func (c synthesizeCommand) toFile() bool { return c.Output != "" && c.Output != standardInput }

// check refuses what would spoil a terminal, or a file of another format.
func (c synthesizeCommand) check(g *globals, con *console) error {
	switch {
	case c.Voice != "" && c.Model != "" && c.Voice != c.Model:
		return usagef("--voice and --model name different models")
	case !c.toFile() && con.outTTY && !g.JSON:
		return usagef("sound does not go to a terminal: name a file with -o, or send it to a player, as in\n  modelgateway synthesize \"Hello.\" | aplay")
	}
	if ext := strings.ToLower(filepath.Ext(c.Output)); slices.Contains([]string{".mp3", ".ogg", ".opus", ".flac", ".m4a", ".aac", ".webm"}, ext) {
		return usagef("%s cannot be written, only WAV: name a .wav file", ext)
	}
	return nil
}

func (c synthesizeCommand) request(text string) *gatewayv1.SynthesizeRequest {
	req := &gatewayv1.SynthesizeRequest{
		Speaker: c.Speaker, Speed: c.Speed, Volume: c.Volume, NoiseScale: c.NoiseScale, NoiseW: c.NoiseW,
		Model: c.Model, Routing: c.routing(),
	}
	if c.Voice != "" {
		req.Model = c.Voice
	}
	if c.SentenceSilence != nil {
		req.SentenceSilence = durationpb.New(*c.SentenceSilence)
	}
	if c.Phonemes {
		req.Input = &gatewayv1.SynthesizeRequest_Phonemes{Phonemes: text}
	} else {
		req.Input = &gatewayv1.SynthesizeRequest_Text{Text: text}
	}
	return req
}

// speak makes the sound and writes it. A file is there when all of it is.
func (c synthesizeCommand) speak(ctx context.Context, client *modelgateway.Client, text string, g *globals, con *console) error {
	out := &soundWriter{w: con.out, raw: c.Raw}
	var file *renameio.PendingFile
	if c.toFile() {
		var err error
		if file, err = renameio.NewPendingFile(c.Output, renameio.WithPermissions(0o644)); err != nil {
			return usageError{fmt.Errorf("the sound cannot be written: %w", err)}
		}
		defer func() { _ = file.Cleanup() }() // is nothing after a replacement
		out.w = file
	}
	served, err := c.relay(ctx, client, text, out, g, con)
	if err == nil && file != nil {
		err = out.finish(file)
	}
	if err != nil {
		return err
	}
	if file != nil && !g.JSON && con.errTTY {
		fmt.Fprintf(con.err, "%s: %s of speech\n", c.Output, spanOf(out.length()))
	}
	if !g.JSON {
		c.told(con, served, nil)
	}
	return nil
}

// relay writes the pieces of speech as they come.
func (c synthesizeCommand) relay(ctx context.Context, client *modelgateway.Client, text string, out *soundWriter, g *globals, con *console) (*gatewayv1.ServedBy, error) {
	wait := startProgress(ctx, client, con, g.JSON, out.progress)
	defer wait.stop()
	stream, err := client.Synthesize(ctx, c.request(text))
	if err != nil {
		return nil, err
	}
	var served *gatewayv1.ServedBy
	for {
		piece, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return served, nil
		}
		if err != nil {
			return nil, err
		}
		served = piece.GetServedBy()
		if !g.JSON || c.toFile() {
			if err := out.write(piece.GetAudio(), piece.GetSampleRateHertz()); err != nil {
				return nil, fmt.Errorf("the sound cannot be written: %w", err)
			}
		}
		if g.JSON {
			if c.toFile() {
				piece.Audio = nil
			}
			if err := writeJSONLine(con.out, piece); err != nil {
				return nil, err
			}
		}
	}
}
