package lifecycle

import (
	"slices"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/worker"
)

// unknownBytes is reserved for a model whose size is not known at all.
const unknownBytes = 64 << 20

// size is what is known of a model's footprint before a load.
type size struct {
	estimated int64
	key       string
	learned   record
	// known: it was looked up since the last load ended, so a load may use it.
	known bool
	// lookingUp: a look-up is in progress.
	lookingUp bool
}

// sizing is the result of a look-up.
type sizing struct {
	estimated int64
	key       string
	learned   record
	err       error
}

// lookUp determines a model's size and reads the record of earlier runs. It may
// use the disk: never call it on the owner goroutine.
func lookUp(spec ModelSpec, learned *store) sizing {
	s := sizing{key: "model:" + spec.Name}
	if spec.Fingerprint != nil {
		if key := spec.Fingerprint(); key != "" {
			s.key = key
		}
	}
	if spec.Estimate != nil {
		s.estimated, s.err = spec.Estimate()
		if busy := worker.Exhausted(s.err); busy != nil { // nothing is wrong with the files
			s.err = busy
		}
	}
	s.learned = learned.get(s.key)
	return s
}

// required returns what a load reserves, and where the number is from. A
// declared size replaces an estimate. A measured peak replaces both if it is
// larger, since a model that grew once will grow again. A peak above the whole
// budget reserves all of it: the model loads alone, and one leak does not
// exclude it. An estimate, but not a declared size, is also lowered if it was too high
// in all remembered runs.
func (m *model) required() (need int64, source string) {
	need, source = m.spec.DeclaredBytes, "declared"
	if need <= 0 {
		need, source = m.size.estimated, "estimated"
	}
	if need <= 0 {
		need = unknownBytes
	}
	if peak := min(m.size.learned.peak(), max(need, m.opts.BudgetBytes)); peak > need {
		need, source = peak, "learned"
	} else if enough := m.size.learned.enough(need); source == "estimated" && enough > 0 && enough < need {
		need, source = enough, "learned"
	}
	return need, source
}

// preview records what was found before the first request, for display and
// planning. Errors are left to the first load.
func (m *model) preview(s sizing) {
	if m.proc == nil && !m.size.known && s.err == nil {
		m.size.estimated, m.size.key, m.size.learned = s.estimated, s.key, s.learned
	}
}

// sized records a look-up. It refuses the requests that cannot be served by
// what was found.
func (m *model) sized(s sizing) {
	m.size.lookingUp = false
	m.size.estimated, m.size.key, m.size.learned = s.estimated, s.key, s.learned
	if m.proc != nil {
		return
	}
	if s.err != nil {
		err := errs.From(s.err).With("model", m.spec.Name)
		if !m.coolingDown() {
			m.fail(err, true)
		}
		m.refuseAll(err)
		return
	}
	if m.coolingDown() && !m.failure.sizing && m.failure.key == s.key {
		m.refuseAll(cooldownError(m.spec.Name, m.failure, m.now))
		return
	}
	m.size.known = true
	load := m.size.learned.loadTime()
	for _, w := range slices.Clone(m.queue) {
		w.refuseLate(load, 0)
	}
}
