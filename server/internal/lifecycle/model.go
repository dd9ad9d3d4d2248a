package lifecycle

import (
	"math"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// env is what the models and processes of one owner share.
type env struct {
	opts     Options
	fx       effects
	watchers map[*watcher]struct{}
	// now is the time of the present call of the owner.
	now time.Time
	// shares are those of the present plan.
	shares coreShares
}

// model is the owner's state of one configured model.
type model struct {
	*env
	spec   ModelSpec
	pinned bool
	// state is what was announced last; stateNow computes the present one.
	state gatewayv1.ModelState
	proc  *process
	queue []*waiter
	size  size
	// failure is the last failed load or crash loop; nil after the next launch.
	failure *failure
	// failures is how many came in a row. crashLoop: the last was a crash loop,
	// which only a request that succeeds ends.
	failures  int
	crashLoop bool
	crashes   []time.Time
	reload    reloadState
	stats     stats
	use       usage
	// refusingSince is when a request was first refused since the last load
	// because of its deadline; see refuseLate.
	refusingSince time.Time
	// starvedSince is when the first of the requests came that got no memory for
	// the model; zero since the last launch.
	starvedSince time.Time
	// turns are those of its leases, and grants counts them.
	turns      turns
	grants     grants
	recent     recentCallers
	lastUnload *gatewayv1.Eviction
	// unloads are the pending calls of Unload.
	unloads []chan int64
	// launches counts the launches of its process.
	launches int
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

// stats counts a model's requests.
type stats struct {
	requests, errors, served, loads int64
	latency                         time.Duration
	// service is the running mean of a lease's time at work. Live requests are
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
