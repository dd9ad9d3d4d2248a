package router

import (
	"time"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
)

// meter counts the tokens and the audio that the messages of one request report.
type meter struct {
	observer    Observer
	task, model string
	sampleRate  int32
}

const bytesPerSample = 2 // synthesized audio has signed 16-bit samples, mono

func (m *meter) count(resp *enginev1.RunResponse) {
	switch p := resp.GetPayload().(type) {
	case *enginev1.RunResponse_Chat:
		if u := p.Chat.GetUsage(); u != nil {
			m.observer.Tokens(m.model, u)
		}
	case *enginev1.RunResponse_Grammar:
		m.observer.Tokens(m.model, p.Grammar.GetUsage())
	case *enginev1.RunResponse_Respond:
		m.observer.Tokens(m.model, p.Respond.GetUsage())
	case *enginev1.RunResponse_ExplainVietnamese:
		m.observer.Tokens(m.model, p.ExplainVietnamese.GetUsage())
	case *enginev1.RunResponse_Transcribe:
		if f := p.Transcribe.GetFinal(); f != nil {
			m.observer.Audio(m.task, m.model, f.GetAudioDuration().AsDuration())
		}
	case *enginev1.RunResponse_Pronunciation:
		m.observer.Audio(m.task, m.model, p.Pronunciation.GetAudioDuration().AsDuration())
	case *enginev1.RunResponse_Synthesize:
		if rate := p.Synthesize.GetSampleRateHertz(); rate > 0 {
			m.sampleRate = rate
		}
		if m.sampleRate > 0 {
			samples := len(p.Synthesize.GetAudio()) / bytesPerSample
			m.observer.Audio(m.task, m.model, time.Duration(samples)*time.Second/time.Duration(m.sampleRate))
		}
	}
}
