package lifecycle

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// phase is where a process is in its life.
type phase int

const (
	phaseLoading phase = iota
	phaseReady
	// phaseDraining: no new leases; it is stopped when the last one ends.
	phaseDraining
	// phaseStopping: told to end; charged until it is reaped.
	phaseStopping
)

// model is the owner's state of one configured model.
type model struct {
	spec   ModelSpec
	pinned bool
	// state is what was announced last; stateNow computes the present one.
	state   gatewayv1.ModelState
	proc    *process
	queue   []*waiter
	size    size
	failure *failure
	// failures in a row; looping: the last was a crash loop, which only a
	// request that ends well breaks.
	failures int
	looping  bool
	revival  revival
	crashes  []time.Time
	stats    stats
	use      usage
	// doomedSince is when a request was first refused because of its deadline
	// since the last load; see refuseDoomed.
	doomedSince  time.Time
	lastEviction *gatewayv1.Eviction
	unloaders    []chan int64
	launches     int // of its process, so far
}

// stateNow derives the public state.
func (m *model) stateNow() gatewayv1.ModelState {
	switch {
	case m.proc == nil && m.failure != nil:
		return gatewayv1.ModelState_MODEL_STATE_FAILED
	case m.proc == nil:
		return gatewayv1.ModelState_MODEL_STATE_UNLOADED
	case m.proc.phase == phaseLoading:
		return gatewayv1.ModelState_MODEL_STATE_LOADING
	case m.proc.phase == phaseReady:
		return gatewayv1.ModelState_MODEL_STATE_READY
	default:
		return gatewayv1.ModelState_MODEL_STATE_DRAINING
	}
}

// charged is what counts against the budget: nothing without a process.
func (m *model) charged() int64 {
	if m.proc == nil {
		return 0
	}
	return m.proc.charged()
}

// process is one worker process of a model, from the reservation of its bytes
// until it is reaped. Only fraction is touched outside the owner goroutine.
type process struct {
	model *model
	phase phase
	// worker is nil until it is launched.
	worker worker.Worker
	// cancel abandons the launch and the load.
	cancel context.CancelFunc
	// fraction of the load that is done; written by the load's goroutine.
	fraction atomic.Uint32

	reserved, measured, peak int64

	started, readyAt, lastUsed time.Time
	leases                     map[*Lease]struct{}
	// working is the number of leases that are not paused.
	working int
	// awaited: it was loaded for requests, and none has got its lease yet.
	awaited bool
	// late: a request's time ran out while the model loaded. The load goes on
	// without it, or a model that takes longer to load than its callers can wait
	// would never be there for any of them. While nobody else waits for it, it
	// goes for those who need its memory, as an idle model does.
	late bool
	liveness
	// reprieved tells about handovers that its requests held up.
	reprieved reprieved
	// end is set when the owner decided that the process goes.
	end *ending
	// launch is its number among the model's launches; see WorkerID.
	launch int
}

// ending says why a process goes.
type ending struct {
	reason gatewayv1.EvictionReason
	// forModel is the model that needs the memory, for PRESSURE.
	forModel *model
	// until is how long leases may hold up a handover, for PRESSURE.
	until time.Time
	// unpinned: the model was pinned until this unload, for REQUESTED.
	unpinned bool
	detail   string
	// cause fails those who wait for the load; nil leaves them waiting.
	cause *errs.Error
}

func (p *process) charged() int64 { return max(p.reserved, p.measured) }

func (p *process) loadFraction() float32 {
	if p.phase == phaseReady {
		return 1
	}
	return math.Float32frombits(p.fraction.Load())
}

// leaving tells whether the process's bytes come back without a further
// decision.
func (p *process) leaving() bool { return p.phase == phaseDraining || p.phase == phaseStopping }

// tokens is how many cores the process holds now.
func (p *process) tokens(cores int) int {
	if p.working == 0 || p.phase == phaseStopping {
		return 0
	}
	return min(p.model.spec.Threads, cores)
}

// failure is a failed load or a crash loop, with its cool-down.
type failure struct {
	err     *errs.Error
	at      time.Time
	retryAt time.Time
	count   int
	// key is the fingerprint of what failed; sizing tells that the file could
	// not even be looked at.
	key    string
	sizing bool
}

// stats counts a model's requests.
type stats struct {
	requests, errors, served, loads int64
	latency                         time.Duration
	// service is the running mean of a lease's time of work. Live requests are
	// not in it: they last as long as someone speaks.
	service  time.Duration
	lastUsed time.Time
}

// useHalfLife is how fast uses are forgotten.
const useHalfLife = 10 * time.Minute

// usage is an exponentially decaying count of uses: how likely the next one is.
type usage struct {
	count float64
	at    time.Time
}

func (u *usage) add(now time.Time) { u.count, u.at = u.value(now)+1, now }

func (u *usage) value(now time.Time) float64 {
	if u.at.IsZero() {
		return 0
	}
	return u.count * math.Exp2(-now.Sub(u.at).Seconds()/useHalfLife.Seconds())
}
