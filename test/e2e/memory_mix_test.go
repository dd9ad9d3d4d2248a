package e2e

import (
	"context"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const (
	// mixSeedVariable sets the random seed, to repeat the clients' choices.
	// mixSecondsVariable makes the run longer.
	mixSeedVariable    = "MODELGATEWAY_MIX_SEED"
	mixSecondsVariable = "MODELGATEWAY_MIX_SECONDS"

	mixClients = 8
	mixSeconds = 10
	// mixLimit ends a run in which a model was never used.
	mixLimit = patience
	// mixDeadline is the deadline of each request, much longer than any waits.
	mixDeadline = patience
)

// Runs the same models with a budget in which only one fits: once with the sizes
// of the Python gateway, and once with a size that fits each starter model, so that
// measured memory comes close to the budget. Idle timeouts are divided by 600, so
// that models that no request may evict are unloaded within the test.
func TestMixUnderTightBudgets(t *testing.T) {
	idle := []string{"10m", "1s", "30m", "3s", "3m}", "300ms}", "5m,", "500ms,", "5m}", "500ms}"}
	for _, c := range []struct {
		name   string
		budget int
		sizes  []string
	}{
		{"original sizes", 3500, nil},
		{"real sizes", 425, []string{"memory_mb: 3500", "memory_mb: 420", "memory_mb: 500", "memory_mb: 420", "memory_mb: 100", "memory_mb: 420", "memory_mb: 2000", "memory_mb: 420"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := startFive(t, c.budget, slices.Concat(c.sizes, idle)...)
			runMix(t, s, int64(c.budget)*mebibyte)
		})
	}
}

// mix is a run of random requests.
type mix struct {
	s     *server
	kinds map[string]func(context.Context, *gatewayv1.Routing) (*gatewayv1.ServedBy, error)

	mu      sync.Mutex
	begun   int
	ended   int
	served  map[string]int // by kind and model
	refused map[string]int // by reason
	answers map[string][]answerTime
}

// answerTime has the times of a request and its answer.
type answerTime struct{ began, ended time.Time }

func fromEnvironment(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

func runMix(t *testing.T, s *server, budget int64) {
	seed := fromEnvironment(t, mixSeedVariable, uint64(time.Now().UnixNano())) //nolint:gosec // any number is fine
	length := time.Duration(fromEnvironment(t, mixSecondsVariable, mixSeconds)) * time.Second
	t.Logf("%s=%d", mixSeedVariable, seed)
	m := &mix{s: s, kinds: requestKinds(s), served: map[string]int{}, refused: map[string]int{}, answers: map[string][]answerTime{}}
	ctx, cancel := context.WithTimeout(t.Context(), 2*mixLimit)
	defer cancel()
	watching, stop := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	var seen *witness
	watchers.Go(func() { seen = watchBudget(watching, t, s, budget) })
	evictions := watchEvictions(watching, t, s, &watchers)

	began := time.Now()
	enough := func() bool {
		took := time.Since(began)
		return took > mixLimit || took > length && m.everyoneServed()
	}
	var clients sync.WaitGroup
	for i := range mixClients {
		r := rand.New(rand.NewPCG(seed, uint64(i))) //nolint:gosec // repeatable
		clients.Go(func() {
			for !enough() {
				m.one(ctx, t, r)
			}
		})
	}
	clients.Wait()
	took := time.Since(began)
	m.check(t)
	eventually(t, patience, "everything is unloaded when idle", func() bool {
		now := s.status(t)
		return now.GetMemoryUsedBytes() == 0 && now.GetCpuThreadsUsed() == 0 && len(s.workers(t)) == 0
	})
	stop()
	watchers.Wait()
	evictions.check(t, m)
	for pid := range seen.pids {
		if alive(pid) {
			t.Errorf("process %d is still there", pid)
		}
	}
	t.Logf("%d requests in %v: served %v, refused %v; %d processes, evictions %v; highest %d MiB measured, %d charged of %d; peaks %v",
		m.ended, took.Round(time.Second), m.served, m.refused, len(seen.pids), evictions.reasons,
		seen.measured/mebibyte, seen.charged/mebibyte, budget/mebibyte, seen.peaks)
}

// one makes one random request.
func (m *mix) one(ctx context.Context, t *testing.T, r *rand.Rand) {
	kind := slices.Sorted(maps.Keys(m.kinds))[r.IntN(len(m.kinds))]
	routing := &gatewayv1.Routing{NoFallback: r.IntN(2) == 0}
	ctx, cancel := context.WithTimeout(ctx, mixDeadline)
	defer cancel()
	leaves, hurries := false, false
	switch r.IntN(12) {
	case 0:
		leaves = true
		timer := time.AfterFunc(time.Duration(r.IntN(200))*time.Millisecond, cancel)
		defer timer.Stop()
	case 1:
		hurries = true
		ctx, cancel = context.WithTimeout(ctx, time.Second)
		defer cancel()
	}
	m.mu.Lock()
	m.begun++
	m.mu.Unlock()
	began := time.Now()
	by, err := m.kinds[kind](ctx, routing)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended++
	reason := errs.ReasonOf(err)
	switch {
	case err == nil:
		m.served[kind+" by "+by.GetModel()]++
		m.answers[by.GetModel()] = append(m.answers[by.GetModel()], answerTime{began, time.Now()})
		if by.GetModel() != primaries()[kind] && (routing.NoFallback || !by.GetFallback()) {
			t.Errorf("%s with %v was served by %v", kind, routing, by)
		}
	case errs.Retryable(reason) && errs.From(err).RetryAfter() > 0, leaves && reason == errs.Cancelled, hurries && reason == errs.DeadlineExceeded:
		m.refused[errs.ReasonName(reason)]++
	default:
		t.Errorf("%s with %v ended with %v", kind, routing, err)
	}
}

// everyoneServed reports whether each kind of request was answered by its primary
// model.
func (m *mix) everyoneServed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for kind, model := range primaries() {
		if m.served[kind+" by "+model] == 0 {
			return false
		}
	}
	return true
}

// check compares the counts after all clients have ended.
func (m *mix) check(t *testing.T) {
	t.Helper()
	if m.begun != m.ended {
		t.Errorf("%d requests started, %d ended", m.begun, m.ended)
	}
	if !m.everyoneServed() {
		t.Errorf("not every kind of request was served: %v", m.served)
	}
	eventually(t, patience, "no request is active or queued", func() bool {
		for _, model := range m.s.status(t).GetModels() {
			if model.GetActiveCount() != 0 || model.GetQueuedCount() != 0 {
				return false
			}
		}
		return true
	})
}

// witness has the measurements of the workers.
type witness struct {
	pids              map[int]bool
	measured, charged int64
	peaks             map[string]int64 // highest memory of each model, in MiB
}

// watchBudget measures the workers itself, and checks that neither the measured
// nor the charged memory exceeds the budget. The declared sizes of these models are
// correct, so no measurement may exceed it.
func watchBudget(ctx context.Context, t *testing.T, s *server, budget int64) *witness {
	w := &witness{pids: map[int]bool{}, peaks: map[string]int64{}}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return w
		case <-tick.C:
		}
		workers := s.workers(t)
		for _, pid := range workers {
			w.pids[pid] = true
		}
		held := proportional(t, workers)
		w.measured = max(w.measured, held)
		if held > budget {
			t.Errorf("the workers use %d MiB of a budget of %d", held/mebibyte, budget/mebibyte)
		}
		status, err := s.models.Status(ctx, &gatewayv1.StatusRequest{})
		if err != nil {
			continue // the server is ending
		}
		w.charged = max(w.charged, status.GetMemoryUsedBytes())
		for _, m := range status.GetModels() {
			w.peaks[m.GetName()] = max(w.peaks[m.GetName()], m.GetMemory().GetPeakBytes()/mebibyte)
		}
		if status.GetMemoryUsedBytes() > budget {
			t.Errorf("%d MiB of %d are charged: %v", status.GetMemoryUsedBytes()/mebibyte, budget/mebibyte, status.GetModels())
		}
	}
}

// idleTimes returns the idle timeouts of TestMixUnderTightBudgets.
func idleTimes() map[string]time.Duration {
	return map[string]time.Duration{
		"qwen": time.Second, "whisper": 500 * time.Millisecond, "piper": 500 * time.Millisecond,
		"hubert": 300 * time.Millisecond, "gemini": 3 * time.Second,
	}
}

// evictionLog has all unloads of a run.
type evictionLog struct {
	reasons  map[string]int
	pressure []pressed
	dropped  int64
}

// pressed is a model that was evicted for another one.
type pressed struct {
	at          time.Time
	model, room string
}

// watchEvictions starts to watch the models. It returns when it receives events.
func watchEvictions(ctx context.Context, t *testing.T, s *server, watchers *sync.WaitGroup) *evictionLog {
	t.Helper()
	stream, err := s.admin.WatchModels(ctx, &gatewayv1.WatchModelsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for range s.status(t).GetModels() { // the first events have the current states
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	log := &evictionLog{reasons: map[string]int{}}
	watchers.Go(func() {
		for {
			e, err := stream.Recv()
			if err != nil {
				return
			}
			log.add(e)
		}
	})
	return log
}

func (l *evictionLog) add(e *gatewayv1.WatchModelsResponse) {
	l.dropped += e.GetDroppedCount()
	if e.GetToState() != gatewayv1.ModelState_MODEL_STATE_UNLOADED {
		return
	}
	l.reasons[e.GetName()+" "+strings.TrimPrefix(e.GetEvictionReason().String(), "EVICTION_REASON_")]++
	if e.GetEvictionReason() == gatewayv1.EvictionReason_EVICTION_REASON_PRESSURE {
		_, rest, _ := strings.Cut(e.GetDetail(), "model ")
		room, _, _ := strings.Cut(rest, " ")
		l.pressure = append(l.pressure, pressed{at: e.GetTime().AsTime(), model: e.GetName(), room: room})
	}
}

// check compares the evictions with the priorities. A model that was evicted for
// one of lower priority must have been past its idle timeout, so it must not have
// answered within that time.
func (l *evictionLog) check(t *testing.T, m *mix) {
	t.Helper()
	if l.dropped > 0 {
		t.Errorf("%d events were dropped", l.dropped)
	}
	priorities := map[string]gatewayv1.Priority{}
	for _, model := range m.s.status(t).GetModels() {
		priorities[model.GetName()] = model.GetPriority()
	}
	for _, e := range l.pressure {
		above, known := priorities[e.room]
		if !known {
			t.Errorf("%s was evicted for %q", e.model, e.room)
		}
		if priorities[e.model] <= above {
			continue
		}
		for _, a := range m.answers[e.model] {
			if a.began.After(e.at.Add(-idleTimes()[e.model])) && a.ended.Before(e.at) {
				t.Errorf("%s was evicted for %s, which has a lower priority, %v after an answer", e.model, e.room, e.at.Sub(a.ended))
			}
		}
	}
}
