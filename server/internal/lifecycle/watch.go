package lifecycle

import (
	"context"
	"log/slog"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// watchBuffer is how many events a watcher may lag behind.
const watchBuffer = 256

// watcher is a subscription to events. The owner never waits for its reader.
type watcher struct {
	// only is the model whose events it gets; nil for all.
	only    *model
	events  chan *gatewayv1.WatchModelsResponse
	dropped int64
	closed  bool
}

// change describes a change of a model's state.
type change struct {
	// unload is why the model was unloaded; unspecified if it was not.
	unload gatewayv1.EvictionReason
	err    *errs.Error
	detail string
}

// watch adds a watcher; nil if there is no such model.
func (o *owner) watch(name string) *watcher {
	w := &watcher{events: make(chan *gatewayv1.WatchModelsResponse, watchBuffer+len(o.models))}
	if name != "" {
		if w.only = o.byName[name]; w.only == nil {
			return nil
		}
	}
	o.watchers[w] = struct{}{}
	for _, m := range o.models {
		w.send(m, m.event(m.state, change{detail: "current state"}))
	}
	return w
}

func (o *owner) unwatch(w *watcher) {
	delete(o.watchers, w)
	w.close()
}

func (o *owner) closeWatchers() {
	for w := range o.watchers {
		o.unwatch(w)
	}
}

func (w *watcher) close() {
	if !w.closed {
		w.closed = true
		close(w.events)
	}
}

// send sends an event, or counts it as dropped.
func (w *watcher) send(m *model, e *gatewayv1.WatchModelsResponse) {
	if w.only != nil && w.only != m {
		return
	}
	if w.dropped > 0 {
		e = proto.CloneOf(e)
		e.DroppedCount = w.dropped
	}
	select {
	case w.events <- e:
		w.dropped = 0
	default:
		w.dropped++
	}
}

func (m *model) event(to gatewayv1.ModelState, c change) *gatewayv1.WatchModelsResponse {
	e := &gatewayv1.WatchModelsResponse{
		Time:           timestamppb.New(m.now),
		Name:           m.spec.Name,
		ToState:        to,
		EvictionReason: c.unload,
		Detail:         c.detail,
		ChargedBytes:   m.charged(),
	}
	if c.err != nil {
		e.ErrorReason = c.err.Reason()
	}
	return e
}

// announce reports a model's state to watchers, observer and log, if it has
// changed.
func (m *model) announce(c change) {
	from, to := m.state, m.stateNow()
	if from == to {
		return
	}
	m.state = to
	e := m.event(to, c)
	e.FromState = from
	for w := range m.watchers {
		w.send(m, e)
	}
	m.opts.Observer.StateChanged(m.spec.Name, from, to)
	level := slog.LevelInfo
	if c.err != nil || isCrash(c.unload) {
		level = slog.LevelWarn
	}
	attrs := []any{"model", m.spec.Name, "from", stateName(from), "to", stateName(to)}
	if c.unload != gatewayv1.EvictionReason_EVICTION_REASON_UNSPECIFIED {
		attrs = append(attrs, "reason", unloadReasonName(c.unload))
	}
	attrs = append(attrs, "detail", c.detail, "charged_bytes", m.charged())
	m.opts.Logger.Log(context.Background(), level, "model state", attrs...)
}
