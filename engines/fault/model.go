package fault

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// model implements every task.
type model struct {
	params     Parameters
	work       *engines.WorkCounter
	memory     memory
	life       context.Context
	end        context.CancelFunc
	background sync.WaitGroup
}

var (
	_ engines.Chatter             = (*model)(nil)
	_ engines.GrammarChecker      = (*model)(nil)
	_ engines.Responder           = (*model)(nil)
	_ engines.VietnameseExplainer = (*model)(nil)
	_ engines.Transcriber         = (*model)(nil)
	_ engines.Synthesizer         = (*model)(nil)
	_ engines.PronunciationScorer = (*model)(nil)
	_ engines.Invoker             = (*model)(nil)
)

func newModel(p Parameters, work *engines.WorkCounter) *model {
	life, end := context.WithCancel(context.Background())
	return &model{params: p, work: work, life: life, end: end}
}

// Description implements engines.Model.
func (m *model) Description() string {
	return fmt.Sprintf("fault model of %d bytes, for tests", m.params.AllocateBytes)
}

// Close implements engines.Model.
func (m *model) Close() error {
	time.Sleep(time.Duration(m.params.CloseMilliseconds) * time.Millisecond)
	m.end()
	m.background.Wait()
	m.memory.free()
	return nil
}

// Chat implements engines.Chatter.
func (m *model) Chat(ctx context.Context, req *gatewayv1.ChatRequest, emit func(*gatewayv1.StreamChatResponse) error) error {
	p, err := m.runParameters(req)
	if err != nil {
		return err
	}
	words := strings.SplitAfter(p.Text, " ")
	count, finish := p.TokenCount, gatewayv1.FinishReason_FINISH_REASON_STOP
	if count == 0 {
		count = len(words)
	}
	if limit := int(req.GetSampling().GetMaxTokens()); limit > 0 && limit < count {
		count, finish = limit, gatewayv1.FinishReason_FINISH_REASON_LENGTH
	}
	interval := time.Duration(p.TokenIntervalMicroseconds) * time.Microsecond
	piece := &gatewayv1.StreamChatResponse{} // reused: emit encodes it before it returns
	for i := range count {
		if p.Fault != "" && i == p.FaultAfterTokens {
			return m.chatFault(ctx, p, emit)
		}
		if err := pause(ctx, interval); err != nil {
			return err
		}
		m.work.Add(1)
		piece.Delta = words[i%len(words)]
		if err := emit(piece); err != nil {
			return err
		}
	}
	return emit(&gatewayv1.StreamChatResponse{FinishReason: finish, Usage: usage(wordCount(req), count)})
}

// faultPrefix begins a message that overrides RunParameters.
const faultPrefix = "fault:"

func (m *model) runParameters(req *gatewayv1.ChatRequest) (RunParameters, error) {
	p := m.params.RunParameters
	if len(req.GetMessages()) == 0 {
		return p, errs.New(errs.InvalidRequest, "the request has no messages")
	}
	last := req.GetMessages()[len(req.GetMessages())-1].GetContent()
	settings, found := strings.CutPrefix(last, faultPrefix)
	if !found {
		return p, nil
	}
	s := &structpb.Struct{}
	if err := s.UnmarshalJSON([]byte(settings)); err != nil {
		return p, errs.New(errs.InvalidRequest, "%q must be followed by a JSON object", faultPrefix).WithCause(err)
	}
	err := engines.DecodeParameters(s, &p)
	return p, err
}

func (m *model) chatFault(ctx context.Context, p RunParameters, emit func(*gatewayv1.StreamChatResponse) error) error {
	switch p.Fault {
	case "error":
		return p.failure()
	case "stall":
		<-ctx.Done()
		return ctx.Err()
	case "flood_log":
		return flood(ctx, rawStderr(), m.work)
	case "flood_stdout":
		return flood(ctx, rawStdout(), m.work)
	case "flood_response":
		big := &gatewayv1.StreamChatResponse{Delta: strings.Repeat("flood ", 10_000)}
		for ctx.Err() == nil {
			m.work.Add(1)
			if err := emit(big); err != nil {
				return err
			}
		}
		return ctx.Err()
	default:
		return misbehave(p.Fault)
	}
}

// failure returns the error of the fault "error".
func (p RunParameters) failure() error {
	return errs.New(reasonNamed(p.ErrorReason, errs.Internal), "%s", cmp.Or(p.ErrorText, "the call fails as requested")).WithRetryAfter(time.Duration(p.ErrorRetryMilliseconds) * time.Millisecond)
}

func wordCount(req *gatewayv1.ChatRequest) int {
	n := 0
	for _, msg := range req.GetMessages() {
		n += len(strings.Fields(msg.GetContent()))
	}
	return n
}

func usage(prompt, completion int) *gatewayv1.Usage {
	return &gatewayv1.Usage{PromptTokenCount: int32(prompt), CompletionTokenCount: int32(completion)}
}

// Grammar implements engines.GrammarChecker: it finds nothing wrong.
func (m *model) Grammar(_ context.Context, req *gatewayv1.GrammarRequest) (*gatewayv1.GrammarResponse, error) {
	m.work.Add(1)
	return &gatewayv1.GrammarResponse{CorrectedText: req.GetText(), Score: 100, Usage: usage(len(strings.Fields(req.GetText())), 0)}, nil
}

// Respond implements engines.Responder: it repeats the learner's text.
func (m *model) Respond(_ context.Context, req *gatewayv1.RespondRequest) (*gatewayv1.RespondResponse, error) {
	m.work.Add(1)
	return &gatewayv1.RespondResponse{
		Text:         "You said: " + req.GetText(),
		FinishReason: gatewayv1.FinishReason_FINISH_REASON_STOP,
		Usage:        usage(len(strings.Fields(req.GetText())), 2),
	}, nil
}

// ExplainVietnamese implements engines.VietnameseExplainer: it repeats the text.
func (m *model) ExplainVietnamese(_ context.Context, req *gatewayv1.ExplainVietnameseRequest) (*gatewayv1.ExplainVietnameseResponse, error) {
	m.work.Add(1)
	return &gatewayv1.ExplainVietnameseResponse{
		Explanation:  "Bạn đã viết: " + req.GetText(),
		FinishReason: gatewayv1.FinishReason_FINISH_REASON_STOP,
		Usage:        usage(len(strings.Fields(req.GetText())), 3),
	}, nil
}

// Transcribe implements engines.Transcriber: it counts the bytes. Its only faults
// are "stall", after the first bytes, and "error", at the end.
func (m *model) Transcribe(ctx context.Context, cfg *gatewayv1.TranscriptionConfig, audio engines.AudioSource, emit func(*gatewayv1.TranscriptionEvent) error) error {
	if m.params.HearNumbers {
		return m.hearNumbers(audio, emit)
	}
	total := 0
	for {
		data, err := audio.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		m.work.Add(1)
		if m.params.Fault == "stall" {
			<-ctx.Done()
			return ctx.Err()
		}
		total += len(data)
		if !cfg.GetInterimResults() {
			continue
		}
		interim := &gatewayv1.InterimTranscript{TentativeText: fmt.Sprintf("%d bytes", total)}
		if err := emit(&gatewayv1.TranscriptionEvent{Event: &gatewayv1.TranscriptionEvent_Interim{Interim: interim}}); err != nil {
			return err
		}
	}
	if m.params.Fault == "error" {
		return m.params.failure()
	}
	final := &gatewayv1.Transcript{Text: fmt.Sprintf("%d bytes", total), Language: "en", LanguageConfidence: 1}
	return emit(&gatewayv1.TranscriptionEvent{Event: &gatewayv1.TranscriptionEvent_Final{Final: final}})
}

const (
	toneRate  = 16000 // samples a second
	toneHertz = 440
	toneWord  = toneRate / 10 // samples of tone for each word
)

// Synthesize implements engines.Synthesizer: it returns a tone of 0.1 s a word.
func (m *model) Synthesize(ctx context.Context, req *gatewayv1.SynthesizeRequest, emit func(*gatewayv1.SynthesizeResponse) error) error {
	sent := 0
	for _, word := range strings.Fields(req.GetText() + req.GetPhonemes()) {
		if err := ctx.Err(); err != nil {
			return err
		}
		piece := &gatewayv1.SynthesizeResponse{Audio: tone(sent, toneWord), Sentence: word}
		if sent == 0 {
			piece.SampleRateHertz = toneRate
		}
		m.work.Add(1)
		if err := emit(piece); err != nil {
			return err
		}
		sent += toneWord
	}
	if sent == 0 {
		return errs.New(errs.InvalidRequest, "the text is empty")
	}
	return nil
}

// tone returns n samples of PCM s16le that continue a tone at sample from.
func tone(from, n int) []byte {
	pcm := make([]byte, 0, 2*n)
	for i := from; i < from+n; i++ {
		v := 0.3 * math.MaxInt16 * math.Sin(2*math.Pi*toneHertz*float64(i)/toneRate)
		pcm = binary.LittleEndian.AppendUint16(pcm, uint16(int16(v)))
	}
	return pcm
}

// Pronunciation implements engines.PronunciationScorer: all scores are 100, and a
// word is as long as one of Synthesize. Its only faults are "stall" and "error".
func (m *model) Pronunciation(ctx context.Context, req *gatewayv1.PronunciationRequest) (*gatewayv1.PronunciationResponse, error) {
	m.work.Add(1)
	switch m.params.Fault {
	case "stall":
		<-ctx.Done()
		return nil, ctx.Err()
	case "error":
		return nil, m.params.failure()
	}
	resp := &gatewayv1.PronunciationResponse{
		OverallScore: 100, AccuracyScore: 100, FluencyScore: 100, CompletenessScore: 100,
		Unit: gatewayv1.PronunciationUnit_PRONUNCIATION_UNIT_LETTER,
	}
	const each = time.Second * toneWord / toneRate
	for i, word := range strings.Fields(req.GetReferenceText()) {
		resp.Words = append(resp.Words, &gatewayv1.PronouncedWord{
			Text: word, Score: 100,
			Start:     durationpb.New(time.Duration(i) * each),
			End:       durationpb.New(time.Duration(i+1) * each),
			ErrorType: gatewayv1.PronunciationErrorType_PRONUNCIATION_ERROR_TYPE_NONE,
		})
	}
	return resp, nil
}
