package engines

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// scripted is an engine whose methods call functions of the test.
type scripted struct {
	load  func(context.Context, LoadOptions) (Model, error)
	chat  func(context.Context) error
	close func() error
}

func (s *scripted) Describe() Description {
	return Description{
		Name: "scripted", Version: "1", Devices: []string{"cpu"},
		Tasks:     []enginev1.Task{enginev1.Task_TASK_CHAT, enginev1.Task_TASK_GRAMMAR},
		Libraries: map[string]string{"libb": "2", "liba": "1"},
	}
}

func (s *scripted) Load(ctx context.Context, opts LoadOptions) (Model, error) {
	if s.load != nil {
		return s.load(ctx, opts)
	}
	return s, nil
}

func (s *scripted) Description() string { return "scripted" }

func (s *scripted) Close() error {
	if s.close != nil {
		return s.close()
	}
	return nil
}

func (s *scripted) Chat(ctx context.Context, _ *gatewayv1.ChatRequest, _ func(*gatewayv1.StreamChatResponse) error) error {
	return s.chat(ctx)
}

// serveTest serves an engine in this process.
func serveTest(t *testing.T, e Engine) (*server, enginev1.EngineClient) {
	t.Helper()
	s := newServer(e, slog.New(slog.DiscardHandler))
	listener := bufconn.Listen(1 << 20)
	g := newGRPCServer(nil)
	enginev1.RegisterEngineServer(g, s)
	var served sync.WaitGroup
	served.Go(func() { _ = g.Serve(listener) })
	conn, err := grpc.NewClient("passthrough:///worker", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		g.Stop()
		served.Wait()
	})
	return s, enginev1.NewEngineClient(conn)
}

func load(t *testing.T, c enginev1.EngineClient, concurrency int32) (*enginev1.LoadResponse, error) {
	t.Helper()
	return AwaitLoad(t.Context(), c, &enginev1.LoadRequest{ModelName: "m", MaxConcurrency: concurrency}, nil)
}

func startChat(ctx context.Context, t *testing.T, c enginev1.EngineClient) enginev1.Engine_RunClient {
	t.Helper()
	stream, err := c.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&enginev1.RunRequest{Payload: &enginev1.RunRequest_Chat{Chat: &gatewayv1.ChatRequest{}}}); err != nil {
		t.Fatal(err)
	}
	return stream
}

func TestMaxConcurrencyIsRespected(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	var now, most int
	s, c := serveTest(t, &scripted{chat: func(context.Context) error {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		entered <- struct{}{}
		<-leave
		mu.Lock()
		now--
		mu.Unlock()
		return nil
	}})
	if resp, err := load(t, c, 2); err != nil || len(resp.GetTasks()) != 1 || resp.GetTasks()[0] != enginev1.Task_TASK_CHAT {
		t.Fatalf("the load ended with %v, %v; want a model of the task chat", resp, err)
	}
	var all sync.WaitGroup
	for range 6 {
		stream := startChat(t.Context(), t, c)
		all.Go(func() {
			if _, err := stream.Recv(); err.Error() != "EOF" {
				t.Errorf("a run ended with %v", err)
			}
		})
	}
	<-entered
	<-entered
	if got := s.active.Load(); got != 2 {
		t.Errorf("%d runs are active", got)
	}
	for range 4 {
		leave <- struct{}{}
		<-entered
	}
	leave <- struct{}{}
	leave <- struct{}{}
	all.Wait()
	if most != 2 {
		t.Errorf("%d runs were active at once", most)
	}
}

func TestPanicsAreInternal(t *testing.T) {
	_, c := serveTest(t, &scripted{
		load: func(context.Context, LoadOptions) (Model, error) { panic("bad file") },
	})
	if _, err := load(t, c, 1); errs.ReasonOf(err) != errs.Internal {
		t.Errorf("a load that panics ended with %v", err)
	}
	_, c = serveTest(t, &scripted{load: func(context.Context, LoadOptions) (Model, error) { return nil, nil }})
	if _, err := load(t, c, 1); errs.ReasonOf(err) != errs.Internal {
		t.Errorf("a load without a model ended with %v", err)
	}
}

func TestShutdownEndsRunsThenClosesTheModel(t *testing.T) {
	running := make(chan struct{})
	var order []string
	s, c := serveTest(t, &scripted{
		chat: func(ctx context.Context) error {
			close(running)
			<-ctx.Done()
			order = append(order, "run")
			return ctx.Err()
		},
		close: func() error {
			order = append(order, "close")
			panic("failed to close")
		},
	})
	if _, err := load(t, c, 1); err != nil {
		t.Fatal(err)
	}
	stream := startChat(t.Context(), t, c)
	<-running
	if !s.shutdown(5 * time.Second) {
		t.Error("the shutdown timed out")
	}
	if strings.Join(order, " ") != "run close" {
		t.Errorf("the order was %v", order)
	}
	if _, err := stream.Recv(); errs.ReasonOf(err) != errs.Draining {
		t.Errorf("the run ended with %v", err)
	}
	if _, err := startChat(t.Context(), t, c).Recv(); errs.ReasonOf(err) != errs.Draining {
		t.Errorf("a run after the end ended with %v", err)
	}
}

func TestShutdownIsBounded(t *testing.T) {
	never := make(chan struct{})
	defer close(never)
	s, c := serveTest(t, &scripted{close: func() error { <-never; return nil }})
	if _, err := load(t, c, 1); err != nil {
		t.Fatal(err)
	}
	if s.shutdown(10 * time.Millisecond) {
		t.Error("shutdown reports that a model was closed that does not close")
	}
}

// A report is due after work, at most once in 100 ms; once a second while a run
// makes no progress; and never on an idle worker.
func TestReportTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(&scripted{}, slog.New(slog.DiscardHandler))
		gone := make(chan struct{})
		due := func() time.Duration {
			begin := time.Now()
			if !s.awaitReport(gone) {
				t.Fatal("the stream ended")
			}
			return time.Since(begin)
		}
		s.work.Add(1)
		if d := due(); d != progressInterval {
			t.Errorf("the report after work came after %v", d)
		}
		s.active.Add(1)
		if d := due(); d != watchInterval {
			t.Errorf("the report of a run without progress came after %v", d)
		}
		s.active.Add(-1)
		go func() {
			time.Sleep(time.Hour)
			s.work.Add(1)
		}()
		if d := due(); d != time.Hour {
			t.Errorf("an idle worker reported after %v", d)
		}
		close(gone)
		if s.awaitReport(gone) {
			t.Error("a report is due on a closed stream")
		}
	})
}

func TestLoadProgressOnlyGrows(t *testing.T) {
	var sent []float32
	p := &loadProgress{work: newWorkCounter(), send: func(r *enginev1.LoadResponse) error {
		sent = append(sent, r.GetProgress())
		return nil
	}}
	for _, f := range []float64{0.25, 0.1, 0.25, 7} {
		p.sent = time.Time{} // as if the last report were long ago
		p.report(f)
	}
	p.end()
	p.report(1)
	if len(sent) != 2 || sent[0] != 0.25 || sent[1] != 1 || p.work.Count() != 2 {
		t.Errorf("progress went %v and counted %d units", sent, p.work.Count())
	}
}

func TestWorkCounterOfAnEnginesOwnTests(t *testing.T) {
	var none *WorkCounter
	none.Add(1)
	var zero WorkCounter
	zero.Add(2)
	zero.Add(-1)
	if none.Count() != 0 || zero.Count() != 2 {
		t.Errorf("they counted %d and %d", none.Count(), zero.Count())
	}
}

func TestRunInTerminal(t *testing.T) {
	for _, c := range []struct {
		args   []string
		hosted bool
		code   int
		done   bool
		want   string
	}{
		{[]string{"/opt/engine-x", "--version"}, false, 0, true, "scripted 1\ntasks: chat, grammar\ndevices: cpu\nliba 1\nlibb 2\n"},
		{[]string{"engine-x", "--help"}, true, 0, true, "engine-x is an engine of ModelGateway"},
		{[]string{"engine-x"}, false, 2, true, "modelgateway serve"},
		{[]string{"engine-x"}, true, 0, false, ""},
		{[]string{"engine-x", "--own-flag"}, true, 0, false, ""},
	} {
		var out bytes.Buffer
		code, done := runInTerminal(&scripted{}, c.args, c.hosted, &out, &out)
		if code != c.code || done != c.done || !strings.Contains(out.String(), c.want) {
			t.Errorf("%v: code %d, done %v, printed %q", c.args, code, done, out.String())
		}
	}
}

func TestLogsAreWhatHostsRead(t *testing.T) {
	var out bytes.Buffer
	newLogger(&out).Warn("slow", "tokens", 3, slog.Group("g", slog.String("msg", "kept")))
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if line["@level"] != "warn" || line["@message"] != "slow" || line["tokens"] != 3.0 || line["@timestamp"] == nil {
		t.Errorf("logged %v", line)
	}
	if group, ok := line["g"].(map[string]any); !ok || group["msg"] != "kept" {
		t.Errorf("the group is %v", line["g"])
	}
}
