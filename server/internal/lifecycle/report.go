package lifecycle

import (
	"context"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// report is the state of all models at one moment, for all who ask for it at
// about that time: however many they are, the owner has one to make.
type report struct {
	made   chan struct{} // closed when the rest is set; nothing changes after that
	totals Totals
	queues []Queue
	models []*gatewayv1.Model
}

// reports has the report that the owner was asked for and has not begun.
type reports struct {
	mu   sync.Mutex
	next *report
}

// report returns the state of all models. Nothing of it is older than the call.
func (m *Manager) report(ctx context.Context) (*report, error) {
	if ctx.Err() != nil {
		return nil, errs.From(ctx.Err())
	}
	r := m.nextReport()
	select {
	case <-r.made:
		return r, nil
	case <-m.stopped:
		return nil, errs.ShuttingDown()
	case <-ctx.Done():
		return nil, errs.From(ctx.Err())
	}
}

// nextReport returns the next report that the owner will make.
func (m *Manager) nextReport() *report {
	m.reports.mu.Lock()
	defer m.reports.mu.Unlock()
	if m.reports.next == nil {
		r := &report{made: make(chan struct{})}
		m.reports.next = r
		m.inbox.putOwn(&call{reads: true, run: func(o *owner) {
			m.reports.mu.Lock()
			m.reports.next = nil
			m.reports.mu.Unlock()
			r.totals, r.models = o.totals(), o.describeAll()
			for _, m := range o.models {
				r.queues = append(r.queues, m.describeQueue())
			}
			close(r.made)
		}})
	}
	return m.reports.next
}

// Models describes all models, in the order of the configuration.
func (m *Manager) Models(ctx context.Context) ([]*gatewayv1.Model, error) {
	r, err := m.report(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]*gatewayv1.Model, len(r.models))
	for i, model := range r.models {
		out[i] = proto.CloneOf(model)
	}
	return out, nil
}

// Model describes one model.
func (m *Manager) Model(ctx context.Context, name string) (*gatewayv1.Model, error) {
	r, err := m.report(ctx)
	if err != nil {
		return nil, err
	}
	for _, model := range r.models {
		if model.GetName() == name {
			return proto.CloneOf(model), nil
		}
	}
	return nil, errUnknown(name)
}

// Totals returns the numbers of the whole manager.
func (m *Manager) Totals(ctx context.Context) (Totals, error) {
	r, err := m.report(ctx)
	if err != nil {
		return Totals{}, err
	}
	t := r.totals
	unseen := m.unseen.Load()
	t.Requests += unseen
	t.Errors += unseen
	return t, nil
}

// Queues returns what waits for each model, in the order of the configuration.
func (m *Manager) Queues(ctx context.Context) ([]Queue, error) {
	r, err := m.report(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Clone(r.queues), nil
}
