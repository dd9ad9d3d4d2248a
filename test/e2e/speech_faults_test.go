package e2e

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/gemini/geminitest"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// slowSpeech configures models whose work takes long: long recordings are scored,
// and sentences are spoken one by one.
const slowSpeech = `
gemini: {api_key: KEY, base_url: URL, retries: 0}
cpu_threads: 16
models:
  whisper: {engine: whisper, path: "starter:whisper.bin", memory_mb: 500, threads: 1, progress_timeout: PROGRESS, parameters: {temperature_inc: 0}}
  piper: {engine: piper, path: "starter:voice.onnx", memory_mb: 128, threads: 1, progress_timeout: PROGRESS}
  hubert: {engine: hubert, path: "starter:pronunciation.onnx", memory_mb: 1000, threads: 1, progress_timeout: PROGRESS, parameters: {max_seconds: 600}}
  gemini: {engine: gemini, memory_mb: 10, priority: high}
tasks:
  transcribe: {primary: whisper, fallbacks: [gemini]}
  synthesize: {primary: piper, fallbacks: [gemini]}
  pronunciation: {primary: hubert, fallbacks: [gemini]}
`

// startSlow runs a server with a fake cloud service. It ends workers that make no
// progress for some time.
func startSlow(t *testing.T, progress time.Duration) *server {
	t.Helper()
	cloud := geminitest.New(t)
	return start(t, strings.NewReplacer("KEY", geminitest.Key, "URL", cloud.URL, "PROGRESS", progress.String()).Replace(slowSpeech))
}

// speechFault is the work of an engine during which a fault occurs.
type speechFault struct {
	model string
	// long takes much longer than a test. It calls begun when it has received a
	// part of the answer.
	long func(ctx context.Context, s *server, routing *gatewayv1.Routing, begun func()) (*gatewayv1.ServedBy, error)
	// short makes a request that is answered soon.
	short func(ctx context.Context, s *server) (*gatewayv1.ServedBy, error)
	// streams reports whether output is sent before the end, so that no fallback is
	// possible.
	streams bool
}

func speechFaults() []speechFault {
	minutes := wav(8000, longTone(8000, 24)) // not more than the cloud accepts
	shortClip := wav(16000, tone(16000, 1, 0.5))
	text := strings.Repeat(sentences+" ", 2000)
	return []speechFault{
		{
			model: "whisper",
			long: func(ctx context.Context, s *server, r *gatewayv1.Routing, _ func()) (*gatewayv1.ServedBy, error) {
				got, err := s.recognize(ctx, &gatewayv1.TranscriptionConfig{Language: "en", BeamSize: 8, Routing: r}, minutes)
				return got.GetServedBy(), err
			},
			short: func(ctx context.Context, s *server) (*gatewayv1.ServedBy, error) {
				got, err := s.recognize(ctx, &gatewayv1.TranscriptionConfig{Language: "en"}, shortClip)
				return got.GetServedBy(), err
			},
		}, {
			model: "piper",
			long: func(ctx context.Context, s *server, r *gatewayv1.Routing, begun func()) (*gatewayv1.ServedBy, error) {
				req := quiet(text)
				req.Routing = r
				stream, err := s.models.Synthesize(ctx, req)
				for err == nil {
					var piece *gatewayv1.SynthesizeResponse
					piece, err = stream.Recv()
					if err == nil && piece.GetServedBy() != nil {
						return piece.GetServedBy(), nil
					}
					begun()
				}
				return nil, err
			},
			short: func(ctx context.Context, s *server) (*gatewayv1.ServedBy, error) {
				got, err := s.synthesize(ctx, quiet("Hello."))
				if err != nil {
					return nil, err
				}
				return got.servedBy, nil
			},
			streams: true,
		}, {
			model: "hubert",
			long: func(ctx context.Context, s *server, r *gatewayv1.Routing, _ func()) (*gatewayv1.ServedBy, error) {
				got, err := s.models.Pronunciation(ctx, &gatewayv1.PronunciationRequest{
					Audio: minutes, ReferenceText: strings.Repeat("hello ", 300), Routing: r,
				})
				return got.GetServedBy(), err
			},
			short: func(ctx context.Context, s *server) (*gatewayv1.ServedBy, error) {
				got, err := s.pronounce(ctx, nil, shortClip, "hello")
				return got.GetServedBy(), err
			},
		},
	}
}

// result has the result of a call.
type result struct {
	by  *gatewayv1.ServedBy
	err error
	at  time.Time
}

// midWork loads the model, starts long work on it, and stops its process meanwhile,
// so that only the test can end the work.
func (f *speechFault) midWork(ctx context.Context, t *testing.T, s *server, routing *gatewayv1.Routing) (pid int, ended <-chan result) {
	t.Helper()
	if by, err := f.short(within(t, patience), s); err != nil || by.GetModel() != f.model {
		t.Fatalf("the first request: %v, %v", by, err)
	}
	pid = int(s.model(t, f.model).GetWorkerPid())
	before := cpuTime(t, pid)
	out := make(chan result, 1)
	begun := make(chan struct{})
	go func() {
		by, err := f.long(ctx, s, routing, sync.OnceFunc(func() { close(begun) }))
		out <- result{by, err, time.Now()}
	}()
	if f.streams {
		<-begun
	}
	eventually(t, patience, "the worker computes", func() bool { return cpuTime(t, pid)-before > 50*time.Millisecond })
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	wantAtWork(t, s, f.model, 1)
	return pid, out
}

// cpuTime returns the processor time of a process; 0 if it has ended.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	var ticks int64
	for _, field := range strings.Fields(rest)[11:13] { // user and system
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			t.Fatalf("%q: %v", stat, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / 100)
}

// wait returns the result of the call.
func wait(t *testing.T, ended <-chan result) result {
	t.Helper()
	select {
	case r := <-ended:
		return r
	case <-time.After(patience):
		t.Fatal("the call did not end")
		return result{}
	}
}

// If a worker is killed during its work, its request fails at once or is answered
// by the cloud, /health reports it, and the next request loads the model again.
func TestSpeechWorkerKilled(t *testing.T) {
	s := startSlow(t, patience)
	for _, f := range speechFaults() {
		t.Run(f.model, func(t *testing.T) {
			pid, ended := f.midWork(within(t, patience), t, s, &gatewayv1.Routing{NoFallback: true})
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			killed := time.Now()
			eventually(t, patience, "/health reports it", func() bool { return healthStatus(t, s, f.model) != "ready" })
			r := wait(t, ended)
			if got := errs.ReasonOf(r.err); got != errs.EngineCrashed {
				t.Errorf("the call ended with %v, %v; want ENGINE_CRASHED", r.by, r.err)
			}
			t.Logf("the call ended %v after the kill", r.at.Sub(killed))
			f.wantFresh(t, s, pid)

			// With a fallback, unless a part of the answer was already sent.
			pid, ended = f.midWork(within(t, patience), t, s, nil)
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			r = wait(t, ended)
			switch {
			case f.streams:
				if errs.ReasonOf(r.err) != errs.EngineCrashed {
					t.Errorf("the stream ended with %v, %v; want ENGINE_CRASHED", r.by, r.err)
				}
			case r.err != nil || r.by.GetModel() != "gemini" || !r.by.GetFallback() ||
				r.by.GetFallbackReason() != gatewayv1.FallbackReason_FALLBACK_REASON_ENGINE_CRASHED:
				t.Errorf("the call ended with %v, %v; want an answer of the cloud model", r.by, r.err)
			}
			f.wantFresh(t, s, pid)
		})
	}
}

// wantFresh expects that the next request is answered by a new process.
func (f *speechFault) wantFresh(t *testing.T, s *server, old int) {
	t.Helper()
	by, err := f.short(within(t, patience), s)
	if err != nil || by.GetModel() != f.model || by.GetLoadDuration().AsDuration() <= 0 {
		t.Errorf("the next request: %v, %v; want a new load of %s", by, err, f.model)
	}
	if now := int(s.model(t, f.model).GetWorkerPid()); now == old || !alive(now) {
		t.Errorf("served by process %d after %d, want a new one", now, old)
	}
	if status := healthStatus(t, s, f.model); status != "ready" {
		t.Errorf("/health reports %q for the new worker", status)
	}
}

// A worker that hangs is killed after its progress timeout.
func TestSpeechWorkerHangs(t *testing.T) {
	s := startSlow(t, 10*time.Second) // a busy machine may pause a working one for seconds
	f := speechFaults()[0]
	pid, ended := f.midWork(within(t, patience), t, s, &gatewayv1.Routing{NoFallback: true})
	r := wait(t, ended)
	if got := errs.ReasonOf(r.err); got != errs.EngineCrashed {
		t.Errorf("the call ended with %v, %v; want ENGINE_CRASHED", r.by, r.err)
	}
	eventually(t, patience, "the stopped worker is ended", func() bool { return !alive(pid) })
	eventually(t, patience, "the eviction is reported", func() bool {
		return s.model(t, f.model).GetLastEviction().GetReason() == gatewayv1.EvictionReason_EVICTION_REASON_HUNG
	})
	f.wantFresh(t, s, pid)
}

// If a caller cancels, the work stops; the process stays alive and becomes idle.
func TestSpeechCancelFreesTheProcessor(t *testing.T) {
	s := startSlow(t, patience)
	for _, f := range speechFaults() {
		t.Run(f.model, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			pid, ended := f.midWork(ctx, t, s, &gatewayv1.Routing{NoFallback: true})
			if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			going := cpuTime(t, pid)
			eventually(t, patience, "the worker continues", func() bool { return cpuTime(t, pid) > going })
			cancel()
			if r := wait(t, ended); errs.ReasonOf(r.err) != errs.Cancelled {
				t.Errorf("the call ended with %v, %v; want CANCELLED", r.by, r.err)
			}
			eventually(t, patience, "the model is idle", func() bool { return s.model(t, f.model).GetActiveCount() == 0 })
			eventually(t, patience, "the worker is idle", func() bool { return isIdle(t, pid) })
			if now := int(s.model(t, f.model).GetWorkerPid()); now != pid {
				t.Errorf("process %d replaced %d after the cancellation", now, pid)
			}
			by, err := f.short(within(t, patience), s)
			if err != nil || by.GetModel() != f.model || by.GetLoadDuration().AsDuration() != 0 {
				t.Errorf("the next request: %v, %v; want an answer without a new load", by, err)
			}
		})
	}
}

// isIdle reports whether a process is almost idle for a while: it uses less than a
// tenth of the time of one thread.
func isIdle(t *testing.T, pid int) bool {
	t.Helper()
	const while = 300 * time.Millisecond
	before := cpuTime(t, pid)
	time.Sleep(while) // the measured time, not a wait
	return cpuTime(t, pid)-before <= while/10
}
