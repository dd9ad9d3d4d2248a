package cli

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/fatih/color"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const dim = color.Faint

const (
	statusDelay    = 700 * time.Millisecond // before the status line appears
	statusInterval = 500 * time.Millisecond // between its updates
)

// statusLine shows at a terminal why there is no output yet, for example because a
// model is loading.
type statusLine struct {
	cancel context.CancelFunc
	ended  chan struct{}
	once   sync.Once
}

func startStatus(ctx context.Context, client *modelgateway.Client, con *console, quiet bool) *statusLine {
	return startProgress(ctx, client, con, quiet, func() string { return "waiting" })
}

// startProgress is startStatus with a progress report for when no model is loading.
func startProgress(ctx context.Context, client *modelgateway.Client, con *console, quiet bool, progress func() string) *statusLine {
	ctx, cancel := context.WithCancel(ctx)
	w := &statusLine{cancel: cancel, ended: make(chan struct{})}
	if quiet || !con.errTTY {
		close(w.ended)
		return w
	}
	go func() {
		defer close(w.ended)
		showStatus(ctx, client, con, progress)
	}()
	return w
}

// stop removes the status line. It returns once the line is clear.
func (w *statusLine) stop() {
	w.once.Do(func() {
		w.cancel()
		<-w.ended
	})
}

func showStatus(ctx context.Context, client *modelgateway.Client, con *console, progress func() string) {
	timer := time.NewTimer(statusDelay)
	defer timer.Stop()
	drawn := false
	defer func() {
		if drawn {
			fmt.Fprint(con.err, "\r\x1b[K")
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			timer.Reset(statusInterval)
		}
		res, err := client.ListModels(ctx, &gatewayv1.ListModelsRequest{})
		if err != nil {
			return // the call itself reports the error
		}
		drawn = true
		fmt.Fprintf(con.err, "\r\x1b[K%s", con.paint(true, dim)(statusText(res.GetModels(), progress())))
	}
}

func statusText(models []*gatewayv1.Model, otherwise string) string {
	var loads []string
	for _, m := range models {
		if m.GetState() == gatewayv1.ModelState_MODEL_STATE_LOADING {
			loads = append(loads, m.GetName()+" "+state(m))
		}
	}
	if len(loads) == 0 {
		return otherwise + " …"
	}
	return strings.Join(loads, ", ") + " …"
}

// answer makes a call, shows the status line meanwhile, and prints the result: as
// JSON, or with write.
func answer[R proto.Message](
	ctx context.Context, g *globals, con *console, call func(context.Context, *modelgateway.Client) (R, error), write func(R) error,
) error {
	return g.withClient(ctx, func(ctx context.Context, client *modelgateway.Client) error {
		status := startStatus(ctx, client, con, g.JSON)
		res, err := call(ctx, client)
		status.stop()
		switch {
		case err != nil:
			return err
		case g.JSON:
			return writeJSON(con.out, res)
		default:
			return write(res)
		}
	})
}
