package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/transcripts"
)

// chunkBytes is how much of a recording goes into one message.
const chunkBytes = 64 << 10

type transcribeCommand struct {
	File      string `arg:"" help:"Recording; \"-\" transcribes standard input as it arrives."`
	Language  string `short:"l" placeholder:"CODE" help:"Spoken language (en, vi, …). Default: detected."`
	Translate bool   `help:"Translate to English."`
	Output    string `short:"o" placeholder:"FILE" help:"File to write: .srt, .vtt, .json, or any other name for text. Default, or with \"-\": standard output."`
	Format    string `enum:"auto,text,srt,vtt,verbose_json" default:"auto" help:"Format of the transcript (${enum}). Default: that of the file's extension, or text."`
	Words     bool   `help:"Print each word with its time and confidence."`
	Prompt    string `placeholder:"TEXT" help:"Context for the model: names, spelling and style to expect."`
	Beam      int32  `placeholder:"NUMBER" help:"Beam size: 1 is greedy search, 0 uses the setting of the model."`
	recordingFlags
	routingFlags
}

// Help returns the text that --help prints after the summary.
func (transcribeCommand) Help() string {
	return `Examples:
  modelgateway transcribe lecture.mp3
  modelgateway transcribe --words --json clip.wav
  modelgateway transcribe film.mp3 -o film.srt
  modelgateway transcribe --format vtt film.mp3 >film.vtt
  arecord -f S16_LE -r 16000 -c 1 | modelgateway transcribe -
  ffmpeg -i film.mkv -f s16le -ar 16000 -ac 1 - | modelgateway transcribe --encoding s16le -

Live speech is printed segment by segment. Ctrl-C ends the speech and prints the
last segment. --timeout starts when the speech ends.`
}

// transcriptFormats are the formats of files with an extension.
var transcriptFormats = map[string]string{".srt": "srt", ".vtt": "vtt", ".json": "verbose_json"}

// Run transcribes a file, or live speech.
func (c transcribeCommand) Run(ctx context.Context, g *globals, con *console) error {
	if c.Format == "auto" {
		c.Format = "text"
		if named := transcriptFormats[strings.ToLower(filepath.Ext(c.Output))]; named != "" && !g.JSON {
			c.Format = named
		}
	}
	switch {
	case c.Format != "text" && g.JSON:
		return usagef("--format %s cannot be combined with --json", c.Format)
	case c.Words && (c.Format == "srt" || c.Format == "vtt"):
		return usagef("subtitles (%s) cannot have --words: leave it out, or write text or verbose_json", c.Format)
	}
	if c.Output == "" || c.Output == standardInput {
		return c.transcribe(ctx, g, con)
	}
	return writeFile(c.Output, func(file io.Writer) error {
		toFile := *con
		toFile.out, toFile.outTTY = file, false
		return c.transcribe(ctx, g, &toFile)
	})
}

func (c transcribeCommand) transcribe(ctx context.Context, g *globals, con *console) error {
	if c.File == standardInput && c.Format == "text" {
		return c.live(ctx, g, con)
	}
	audio, size, err := openRecording(c.File, con)
	if err != nil {
		return err
	}
	defer func() { _ = audio.Close() }()
	return g.withClient(ctx, func(ctx context.Context, client *modelgateway.Client) error {
		res, err := c.whole(ctx, client, g, con, audio, size)
		switch {
		case err != nil:
			return err
		case g.JSON:
			return writeJSON(con.out, res)
		case c.Format != "text":
			return c.write(con, res.GetTranscript())
		}
		return c.print(con, res)
	})
}

// write writes a transcript for other programs.
func (c transcribeCommand) write(con *console, t *gatewayv1.Transcript) error {
	var err error
	switch c.Format {
	case "srt":
		_, err = io.WriteString(con.out, transcripts.SRT(t))
	case "vtt":
		_, err = io.WriteString(con.out, transcripts.VTT(t))
	default:
		e := json.NewEncoder(con.out)
		e.SetIndent("", "  ")
		err = e.Encode(transcripts.VerboseOf(t, c.Translate))
	}
	printUncertain(con, t)
	return err
}

func (c transcribeCommand) config(interim bool) *gatewayv1.TranscriptionConfig {
	return &gatewayv1.TranscriptionConfig{
		Format: c.format(), Language: c.Language, Translate: c.Translate, InitialPrompt: c.Prompt, WordTimestamps: c.Words,
		BeamSize: c.Beam, InterimResults: interim, Model: c.Model, Routing: c.routing(),
	}
}

// whole sends a recording as fast as the server reads it, and waits for the result.
func (c transcribeCommand) whole(ctx context.Context, client *modelgateway.Client, g *globals, con *console, audio io.Reader, size int64) (*gatewayv1.TranscribeResponse, error) {
	var sent atomic.Int64
	progress := startProgress(ctx, client, con, g.JSON, func() string {
		if size <= 0 || sent.Load() == 0 {
			return "waiting"
		}
		return fmt.Sprintf("transcribing, %.0f%% sent", 100*float64(sent.Load())/float64(size))
	})
	defer progress.stop()
	stream, err := client.Transcribe(ctx)
	if err != nil {
		return nil, err
	}
	msg := &gatewayv1.TranscribeRequest{Payload: &gatewayv1.TranscribeRequest_Config{Config: c.config(false)}}
	for {
		if err := stream.Send(msg); err != nil {
			break // CloseAndRecv returns the reason
		}
		buf := make([]byte, chunkBytes) // not reused: gRPC may still hold a message after Send
		n, err := io.ReadFull(audio, buf)
		if n == 0 && errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("cannot read the recording: %w", err)
		}
		sent.Add(int64(n))
		msg = &gatewayv1.TranscribeRequest{Payload: &gatewayv1.TranscribeRequest_Audio{Audio: buf[:n]}}
	}
	return stream.CloseAndRecv()
}

// printUncertain says that a transcript lacks words of which the model was not certain.
func printUncertain(con *console, t *gatewayv1.Transcript) {
	if t.GetUncertain() {
		fmt.Fprintln(con.err, "The model heard words of which it was not certain, and left them out.")
	}
}

// print prints a transcript: as text, or word by word.
func (c transcribeCommand) print(con *console, res *gatewayv1.TranscribeResponse) error {
	var err error
	if c.Words && len(res.GetTranscript().GetSegments()) > 0 {
		for _, s := range res.GetTranscript().GetSegments() {
			err = errors.Join(err, writeSegment(con, s))
		}
	} else {
		_, err = fmt.Fprintln(con.out, con.printable(strings.TrimSpace(res.GetTranscript().GetText())))
	}
	printUncertain(con, res.GetTranscript())
	c.printServed(con, res.GetServedBy(), nil)
	return err
}

// writeSegment prints a segment, and its words if the server returned them.
func writeSegment(con *console, s *gatewayv1.TranscriptSegment) error {
	_, err := fmt.Fprintln(con.out, con.printable(strings.TrimSpace(s.GetText())))
	for _, w := range s.GetWords() {
		_, err = fmt.Fprintf(con.out, "  %7.2f  %7.2f  %3.0f%%  %s\n", w.GetStart().AsDuration().Seconds(), w.GetEnd().AsDuration().Seconds(),
			100*w.GetConfidence(), con.printable(strings.TrimSpace(w.GetText())))
	}
	return err
}
