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

// A wait of more than this is explained, and the explanation kept up to date.
const (
	waitBeforeTelling = 700 * time.Millisecond
	waitBetween       = 500 * time.Millisecond
)

// waiting tells a person at a terminal why nothing comes yet: a model loads.
type waiting struct {
	cancel context.CancelFunc
	ended  chan struct{}
	once   sync.Once
}

func startWaiting(ctx context.Context, client *modelgateway.Client, con *console, quiet bool) *waiting {
	return startProgress(ctx, client, con, quiet, func() string { return "waiting" })
}

// startProgress is startWaiting for work that can tell what it does.
func startProgress(ctx context.Context, client *modelgateway.Client, con *console, quiet bool, doing func() string) *waiting {
	ctx, cancel := context.WithCancel(ctx)
	w := &waiting{cancel: cancel, ended: make(chan struct{})}
	if quiet || !con.errTTY {
		close(w.ended)
		return w
	}
	go func() {
		defer close(w.ended)
		tell(ctx, client, con, doing)
	}()
	return w
}

// stop takes the explanation away. It returns when the line is clear.
func (w *waiting) stop() {
	w.once.Do(func() {
		w.cancel()
		<-w.ended
	})
}

func tell(ctx context.Context, client *modelgateway.Client, con *console, doing func() string) {
	timer := time.NewTimer(waitBeforeTelling)
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
			timer.Reset(waitBetween)
		}
		res, err := client.ListModels(ctx, &gatewayv1.ListModelsRequest{})
		if err != nil {
			return // the call itself will tell
		}
		drawn = true
		fmt.Fprintf(con.err, "\r\x1b[K%s", con.paint(true, dim)(waitText(res.GetModels(), doing())))
	}
}

func waitText(models []*gatewayv1.Model, otherwise string) string {
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

// answer makes a call, shows what is waited for meanwhile, and prints what comes: as
// JSON, or by write.
func answer[R proto.Message](
	ctx context.Context, g *globals, con *console, call func(context.Context, *modelgateway.Client) (R, error), write func(R) error,
) error {
	return g.withClient(ctx, func(ctx context.Context, client *modelgateway.Client) error {
		wait := startWaiting(ctx, client, con, g.JSON)
		res, err := call(ctx, client)
		wait.stop()
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
