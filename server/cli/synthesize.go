package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	Text            []string       `arg:"" optional:"" help:"Text to speak. Default, or with \"-\": standard input."`
	Output          string         `short:"o" placeholder:"FILE" help:"WAV file to write. Default, or with \"-\": standard output."`
	Raw             bool           `help:"Write raw samples without a WAV header: 16-bit little-endian, mono."`
	Voice           string         `placeholder:"NAME" help:"Name of the voice: a model, as with --model."`
	Speaker         string         `placeholder:"NAME" help:"Speaker of a voice with several speakers, by name or number."`
	Speed           *float32       `placeholder:"NUMBER" help:"Speed factor, 0.25 to 4: 2 is twice as fast."`
	Volume          *float32       `placeholder:"NUMBER" help:"Volume factor, 0 to 2."`
	NoiseScale      *float32       `placeholder:"NUMBER" help:"Random variation of the sound, 0 to 2."`
	NoiseW          *float32       `name:"noise-w" placeholder:"NUMBER" help:"Random variation of phoneme lengths, 0 to 2."`
	SentenceSilence *time.Duration `placeholder:"DURATION" help:"Silence after each sentence, at most 10s."`
	Phonemes        bool           `help:"Treat the text as phonemes, in the notation of the voice."`
	routingFlags
}

// Help returns the text that --help prints after the summary.
func (synthesizeCommand) Help() string {
	return `Examples:
  modelgateway synthesize -o hello.wav "Hello there."
  modelgateway synthesize --voice piper --speed 0.8 < story.txt | aplay
  modelgateway synthesize --raw "Hello." | aplay -f S16_LE -r 22050

Standard output receives each sentence as soon as it is ready. With --json, a
line describes each chunk, and contains its audio unless --output names a file.`
}

// Run converts a text to speech.
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

// toFile reports whether the audio goes to a file.
func (c synthesizeCommand) toFile() bool { return c.Output != "" && c.Output != standardInput }

// check rejects audio on a terminal, and file names of formats other than WAV.
func (c synthesizeCommand) check(g *globals, con *console) error {
	switch {
	case c.Voice != "" && c.Model != "" && c.Voice != c.Model:
		return usagef("--voice and --model name different models")
	case !c.toFile() && con.outTTY && !g.JSON:
		return usagef("audio cannot be written to a terminal: name a file with -o, or pipe it to a player, for example\n  modelgateway synthesize \"Hello.\" | aplay")
	}
	if ext := strings.ToLower(filepath.Ext(c.Output)); slices.Contains([]string{".mp3", ".ogg", ".opus", ".flac", ".m4a", ".aac", ".webm"}, ext) {
		return usagef("%s files cannot be written, only WAV: name a .wav file", ext)
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

// speak writes the speech. A file appears only when it is complete.
func (c synthesizeCommand) speak(ctx context.Context, client *modelgateway.Client, text string, g *globals, con *console) error {
	out := &soundWriter{w: con.out, raw: c.Raw}
	var file *renameio.PendingFile
	if c.toFile() {
		var err error
		if file, err = renameio.NewPendingFile(c.Output, renameio.WithPermissions(0o644)); err != nil {
			return usageError{fmt.Errorf("cannot write %s: %w", c.Output, withoutPath(err))}
		}
		defer func() { _ = file.Cleanup() }() // does nothing once the file is in place
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
		fmt.Fprintf(con.err, "%s: %s of speech\n", c.Output, roundDuration(out.length()))
	}
	if !g.JSON {
		c.printServed(con, served, nil)
	}
	return nil
}

// withoutPath returns the cause of a file error without its path, which is that of
// a temporary file.
func withoutPath(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// relay writes the chunks of speech as they arrive.
func (c synthesizeCommand) relay(ctx context.Context, client *modelgateway.Client, text string, out *soundWriter, g *globals, con *console) (*gatewayv1.ServedBy, error) {
	status := startProgress(ctx, client, con, g.JSON, out.progress)
	defer status.stop()
	stream, err := client.Synthesize(ctx, c.request(text))
	if err != nil {
		return nil, err
	}
	var served *gatewayv1.ServedBy
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return served, nil
		}
		if err != nil {
			return nil, err
		}
		served = chunk.GetServedBy()
		if !g.JSON || c.toFile() {
			if err := out.write(chunk.GetAudio(), chunk.GetSampleRateHertz()); err != nil {
				return nil, fmt.Errorf("cannot write the audio: %w", err)
			}
		}
		if g.JSON {
			if c.toFile() {
				chunk.Audio = nil
			}
			if err := writeJSONLine(con.out, chunk); err != nil {
				return nil, err
			}
		}
	}
}
