package router

import (
	"time"

	"github.com/lexilingo/modelgateway/engines"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// meter counts the tokens and the audio that the messages of one request report.
type meter struct {
	observer      Observer
	caller        string
	task, model   string
	usage         func(*enginev1.RunResponse) *gatewayv1.Usage
	audioDuration func(*enginev1.RunResponse) time.Duration
}

// newMeter returns the meter of a request on a model.
func newMeter(observer Observer, req Request, model string) *meter {
	m := &meter{observer: observer, caller: req.Caller, task: req.Task, model: model}
	task, _ := engines.TaskOf(req.First)
	m.usage = task.Usage
	if task.NewAudioMeter != nil {
		m.audioDuration = task.NewAudioMeter()
	}
	return m
}

func (m *meter) count(resp *enginev1.RunResponse) {
	if m.usage != nil {
		if u := m.usage(resp); u != nil {
			m.observer.Tokens(m.caller, m.model, u)
		}
	}
	if m.audioDuration != nil {
		if d := m.audioDuration(resp); d > 0 {
			m.observer.Audio(m.caller, m.task, m.model, d)
		}
	}
}
