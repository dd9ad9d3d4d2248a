package lifecycle

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
)

func TestSamplesStayFrequent(t *testing.T) {
	const period = 250 * time.Millisecond
	for took, want := range map[time.Duration]time.Duration{
		0:                     period,
		10 * time.Millisecond: period,
		40 * time.Millisecond: 800 * time.Millisecond,
		2 * time.Second:       time.Second,
	} {
		if got := samplePause(period, took); got != want {
			t.Errorf("after %s: %s, want %s", took, got, want)
		}
	}
	if got := samplePause(5*time.Second, time.Second); got != 5*time.Second {
		t.Errorf("a long period became %s", got)
	}
}

func TestAnUnmeasurableWorkerIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	l := &fakeLauncher{unmeasured: make(chan struct{})}
	m := newManager(t, l, Options{BudgetBytes: 100 * mb, Logger: slog.New(slog.NewTextHandler(&log, nil))}, spec("a", 10*mb, normal))
	lease, err := m.Acquire(t.Context(), Request{Model: "a"})
	if err != nil {
		t.Fatal(err)
	}
	for range 4 * sampleFailures {
		<-l.unmeasured
	}
	totals, err := m.Totals(t.Context())
	if err != nil || totals.UsedBytes != 10*mb {
		t.Errorf("charged %d, %v", totals.UsedBytes, err)
	}
	lease.Release(nil)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(log.String(), "cannot be measured"); n != 1 || !strings.Contains(log.String(), "smaps_rollup") {
		t.Errorf("logged %d times: %s", n, log.String())
	}
}

func TestMeasuredMemoryIsSampledAndLimited(t *testing.T) {
	l := &fakeLauncher{}
	m := newManager(t, l, Options{BudgetBytes: 100 * mb}, spec("a", 10*mb, normal))
	lease, err := m.Acquire(t.Context(), Request{Model: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if l.worker().limit < 100*mb {
		t.Errorf("hard limit %d", l.worker().limit)
	}
	l.worker().bytes.Store(120 * mb)
	<-lease.Done()
	if errs.ReasonOf(lease.Cause()) != errs.MemoryBusy {
		t.Errorf("cause %v", lease.Cause())
	}
	lease.Release(lease.Cause())
	next, err := m.Acquire(t.Context(), Request{Model: "a"})
	if err != nil {
		t.Fatal(err)
	}
	next.Release(nil)
}
