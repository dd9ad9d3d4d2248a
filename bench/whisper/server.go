package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/lexilingo/modelgateway/bench/internal/benchkit"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// server is the server under test.
type server struct {
	*benchkit.Server
	client gatewayv1.ModelGatewayServiceClient
}

// serverConfig has the model twice: with the default audio_ctx, and with an encoder that
// computes 30 s of live streams too. Failed windows are
// not decoded again, because random weights always fail, and no context is passed
// between windows. whisper-cli has -nf and -mc 0 for that.
const serverConfig = `
models:
  auto:
    engine: whisper
    path: %q
    threads: %d
    max_concurrency: 1
    parameters: {temperature_inc: 0, n_max_text_ctx: 0, silence_threshold: 0}
  full:
    engine: whisper
    path: %[1]q
    threads: %[2]d
    max_concurrency: 1
    parameters: {temperature_inc: 0, n_max_text_ctx: 0, silence_threshold: 0, audio_ctx: full}
tasks:
  transcribe: {primary: auto}
`

func startServer(ctx context.Context, o options, log io.Writer) (*server, error) {
	g, err := benchkit.StartServer(ctx, log, o.server, fmt.Sprintf(serverConfig, o.model, o.threads))
	if err != nil {
		return nil, err
	}
	for _, model := range models() {
		if err := g.Load(ctx, model); err != nil {
			g.Stop()
			return nil, err
		}
	}
	return &server{Server: g, client: gatewayv1.NewModelGatewayServiceClient(g.Conn)}, nil
}

// models returns the configured models, with which streams are measured.
func models() []string { return []string{"auto", "full"} }

// recognise transcribes a clip and returns the text.
func (g *server) recognise(ctx context.Context, model string, clip []byte, beams int) (string, time.Duration, error) {
	start := time.Now()
	got, err := g.client.Recognize(ctx, &gatewayv1.RecognizeRequest{
		Audio:  clip,
		Config: &gatewayv1.TranscriptionConfig{Model: model, Language: "en", BeamSize: int32(beams)}, //nolint:gosec // small
	})
	return got.GetTranscript().GetText(), time.Since(start), err
}

// replayed has the measurements of a live stream.
type replayed struct {
	// rest is the time from the end of the speech to the final result.
	rest time.Duration
	// lag is the median age of the audio that the interim results cover.
	lag      time.Duration
	interims int
}

// piece is the length of the audio in a message of a stream.
const piece = 100 * time.Millisecond

// replay sends a clip as fast as it is spoken, and reads the results.
func (g *server) replay(ctx context.Context, model string, clip benchkit.Clip) (replayed, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	stream, err := g.client.StreamTranscribe(ctx)
	if err != nil {
		return replayed{}, err
	}
	if err := stream.Send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Config{Config: &gatewayv1.TranscriptionConfig{
		Model: model, Language: "en", BeamSize: 1, InterimResults: true,
		Format: &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE, SampleRateHertz: benchkit.ClipRate},
	}}}); err != nil {
		return replayed{}, err
	}
	start := time.Now()
	ended := make(chan time.Time, 1)
	go func() {
		speak(stream, clip.PCM(), start)
		ended <- time.Now()
		_ = stream.CloseSend() // Recv reports a broken stream
	}()
	var r replayed
	var lags benchkit.Series
	for {
		got, err := stream.Recv()
		now := time.Now()
		if err != nil {
			return r, fmt.Errorf("the stream ended without a final result: %w", err)
		}
		if interim := got.GetEvent().GetInterim(); interim != nil {
			r.interims++
			lags.Add(float64(now.Sub(start) - interim.GetAudioProcessed().AsDuration()))
		}
		if got.GetEvent().GetFinal() == nil {
			continue
		}
		r.rest = now.Sub(<-ended)
		if len(lags) > 0 {
			r.lag = time.Duration(lags.Median())
		}
		if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
			return r, fmt.Errorf("after the final result: %w", err)
		}
		return r, nil
	}
}

// speak sends each piece when it has been spoken.
func speak(stream interface {
	Send(*gatewayv1.StreamTranscribeRequest) error
}, pcm []byte, start time.Time) {
	size := 2 * int(piece*benchkit.ClipRate/time.Second)
	for i := 0; len(pcm) > 0; i++ {
		n := min(size, len(pcm))
		time.Sleep(time.Until(start.Add(time.Duration(i+1) * piece)))
		if stream.Send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Audio{Audio: pcm[:n]}}) != nil {
			return
		}
		pcm = pcm[n:]
	}
}

// cpu returns the processor time in seconds that a model's worker has used.
func (g *server) cpu(ctx context.Context, model string) (float64, error) {
	m, err := g.Model(ctx, model)
	if err != nil {
		return 0, err
	}
	return benchkit.CPUSeconds(int(m.GetWorkerPid()))
}
