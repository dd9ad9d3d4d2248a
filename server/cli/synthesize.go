package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

type synthesizeCommand struct {
	Text            []string       `arg:"" optional:"" help:"Text to speak. Default, or with \"-\": standard input."`
	Output          string         `short:"o" placeholder:"FILE" help:"File to write: .wav, .mp3, .opus, .ogg, .flac or .pcm. Default, or with \"-\": WAV to standard output."`
	Encoding        string         `enum:"auto,wav,mp3,opus,flac,pcm" default:"auto" help:"Encoding of the speech (${enum}). Default: that of the file's extension, or wav."`
	Bitrate         int32          `placeholder:"NUMBER" help:"Bits per second of mp3 (8000 to 320000, default 64000) and opus (6000 to 256000, default 32000)."`
	Rate            int32          `placeholder:"HERTZ" help:"Sample rate, 8000 to 48000. Default: that of the voice."`
	Raw             bool           `help:"The same as --encoding=pcm: samples without a header, 16-bit little-endian, mono."`
	Voice           string         `placeholder:"NAME" help:"Voice, as \"modelgateway voices\" lists it: a model, as with --model, or MODEL/SPEAKER."`
	Speaker         string         `placeholder:"NAME" help:"Speaker of a voice with several speakers, by name or number."`
	Speed           *float32       `placeholder:"NUMBER" help:"Speed factor, 0.25 to 4: 2 is twice as fast."`
	Volume          *float32       `placeholder:"NUMBER" help:"Volume factor, 0 to 2."`
	NoiseScale      *float32       `placeholder:"NUMBER" help:"Random variation of the sound, 0 to 2."`
	NoiseW          *float32       `name:"noise-w" placeholder:"NUMBER" help:"Random variation of phoneme lengths, 0 to 2."`
	SentenceSilence *time.Duration `placeholder:"DURATION" help:"Silence after each sentence, at most 10s."`
	AlignWords      bool           `help:"With --json: find the times of words if the voice gives none."`
	Phonemes        bool           `help:"Treat the text as phonemes, in the notation of the voice."`
	routingFlags
}

// Help returns the text that --help prints after the summary.
func (synthesizeCommand) Help() string {
	return `Examples:
  modelgateway synthesize -o hello.mp3 "Hello there."
  modelgateway synthesize -o hello.opus --bitrate 24000 "Hello there."
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
	format, err := c.format()
	if err != nil {
		return err
	}
	text, err := input(c.Text, con)
	if err != nil {
		return err
	}
	return g.withClient(ctx, func(ctx context.Context, client *modelgateway.Client) error {
		return c.speak(ctx, client, c.request(text, format), &soundWriter{w: con.out, format: format}, g, con)
	})
}

// toFile reports whether the audio goes to a file.
func (c synthesizeCommand) toFile() bool { return c.Output != "" && c.Output != standardInput }

// check rejects audio on a terminal, words that are not printed, and flags that
// contradict each other.
func (c synthesizeCommand) check(g *globals, con *console) error {
	switch {
	case c.Voice != "" && c.Model != "" && c.voiceModel() != c.Model:
		return usagef("--voice and --model name different models")
	case c.Speaker != "" && c.voiceSpeaker() != "" && c.voiceSpeaker() != c.Speaker:
		return usagef("--voice and --speaker name different speakers")
	case c.AlignWords && !g.JSON:
		return usagef("--align-words needs --json, which prints the words with their times")
	case !c.toFile() && con.outTTY && !g.JSON:
		return usagef("audio cannot be written to a terminal: name a file with -o, or pipe it to a player, for example\n  modelgateway synthesize \"Hello.\" | aplay")
	}
	return nil
}

// voiceModel and voiceSpeaker are the parts of --voice.
func (c synthesizeCommand) voiceModel() string {
	model, _, _ := strings.Cut(c.Voice, "/")
	return model
}

func (c synthesizeCommand) voiceSpeaker() string {
	_, speaker, _ := strings.Cut(c.Voice, "/")
	return speaker
}

func (c synthesizeCommand) request(text string, format speechFormat) *gatewayv1.SynthesizeRequest {
	req := &gatewayv1.SynthesizeRequest{
		Speaker: c.Speaker, Speed: c.Speed, Volume: c.Volume, NoiseScale: c.NoiseScale, NoiseW: c.NoiseW,
		Output:     &gatewayv1.SpeechOutput{Encoding: format.asked, Bitrate: c.Bitrate, SampleRateHertz: c.Rate},
		AlignWords: c.AlignWords, Model: c.Model, Routing: c.routing(),
	}
	if c.Voice != "" {
		req.Model, req.Speaker = c.voiceModel(), cmp.Or(c.voiceSpeaker(), c.Speaker)
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
func (c synthesizeCommand) speak(ctx context.Context, client *modelgateway.Client, req *gatewayv1.SynthesizeRequest, out *soundWriter, g *globals, con *console) error {
	var served *gatewayv1.ServedBy
	relay := func() (err error) {
		served, err = c.relay(ctx, client, req, out, g, con)
		return err
	}
	var err error
	if c.toFile() {
		err = writeFile(c.Output, func(file io.Writer) error {
			out.w = file
			if err := relay(); err != nil {
				return err
			}
			return out.finish()
		})
	} else {
		err = relay()
	}
	if err != nil {
		return err
	}
	if c.toFile() && !g.JSON && con.errTTY {
		fmt.Fprintf(con.err, "%s: %s of speech\n", c.Output, out.amount())
	}
	if !g.JSON {
		c.printServed(con, served, nil)
	}
	return nil
}

// relay writes the chunks of speech as they arrive.
func (c synthesizeCommand) relay(ctx context.Context, client *modelgateway.Client, req *gatewayv1.SynthesizeRequest, out *soundWriter, g *globals, con *console) (*gatewayv1.ServedBy, error) {
	status := startProgress(ctx, client, con, g.JSON, out.progress)
	defer status.stop()
	stream, err := client.Synthesize(ctx, req)
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
