package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

type statusCommand struct{}

// Run prints the state of the server.
func (statusCommand) Run(ctx context.Context, g *globals, con *console) error {
	return g.withClient(ctx, func(ctx context.Context, c *modelgateway.Client) error {
		res, err := c.Status(ctx, &gatewayv1.StatusRequest{})
		if err != nil {
			return err
		}
		if g.JSON {
			return writeJSON(con.out, res)
		}
		fmt.Fprintf(con.out, "ModelGateway %s · up %s · %d requests\n", res.GetVersion(), formatDuration(res.GetUptime()), res.GetTotalRequestCount())
		if res.GetDraining() {
			fmt.Fprintln(con.out, "The server is shutting down; it finishes the requests that are running.")
		}
		fmt.Fprintf(con.out, "memory   %s of %s\n", sizeOrZero(res.GetMemoryUsedBytes()), size(res.GetMemoryBudgetBytes()))
		fmt.Fprintf(con.out, "threads  %d of %d in use\n\n", res.GetCpuThreadsUsed(), res.GetCpuThreadsTotal())
		return writeActivity(con.out, res.GetModels())
	})
}

// sizeOrZero formats a number of bytes where 0 is a meaningful value.
func sizeOrZero(bytes int64) string {
	if bytes <= 0 {
		return "0 B"
	}
	return size(bytes)
}

// writeActivity prints what the models are doing.
func writeActivity(w io.Writer, models []*gatewayv1.Model) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MODEL\tSTATE\tMEMORY\tACTIVE\tQUEUED\tREQUESTS\tERRORS\tMEAN TIME\tIDLE FOR")
	for _, m := range models {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\n", m.GetName(), state(m), size(m.GetMemory().GetChargedBytes()),
			m.GetActiveCount(), m.GetQueuedCount(), m.GetRequestCount(), m.GetErrorCount(), formatDuration(m.GetAverageLatency()), idleFor(m))
	}
	return t.Flush()
}

func state(m *gatewayv1.Model) string {
	s := stateName(m.GetState())
	if m.GetState() == gatewayv1.ModelState_MODEL_STATE_LOADING {
		s += fmt.Sprintf(" %.0f%%", 100*m.GetLoadProgress())
	}
	if m.GetPinned() {
		s += " (pinned)"
	}
	return s
}

// idleFor returns how long a loaded model has been idle, and its idle timeout.
func idleFor(m *gatewayv1.Model) string {
	if m.GetIdleRemaining() == nil {
		return "-"
	}
	limit := m.GetIdleTimeout().AsDuration()
	return roundDuration(limit-m.GetIdleRemaining().AsDuration()) + " of " + roundDuration(limit)
}

type modelsCommand struct {
	Name  string `arg:"" optional:"" help:"Show only this model."`
	Watch bool   `short:"w" help:"Print state changes until Ctrl-C."`
}

// Run lists the models, or prints their state changes.
func (m modelsCommand) Run(ctx context.Context, g *globals, con *console) error {
	if m.Watch {
		return m.watch(ctx, g, con)
	}
	return g.withClient(ctx, func(ctx context.Context, c *modelgateway.Client) error {
		if m.Name != "" {
			res, err := c.GetModel(ctx, &gatewayv1.GetModelRequest{Name: m.Name})
			switch {
			case err != nil:
				return err
			case g.JSON:
				return writeJSON(con.out, res.GetModel())
			}
			return writeModel(con.out, res.GetModel(), time.Now())
		}
		res, err := c.ListModels(ctx, &gatewayv1.ListModelsRequest{})
		switch {
		case err != nil:
			return err
		case g.JSON:
			return writeJSON(con.out, res)
		}
		return writeModels(con.out, res.GetModels(), time.Now())
	})
}

// writeModel prints the table for one model, and why the model was last unloaded.
func writeModel(w io.Writer, m *gatewayv1.Model, now time.Time) error {
	if err := writeModels(w, []*gatewayv1.Model{m}, now); err != nil || m.GetLastEviction() == nil {
		return err
	}
	e := m.GetLastEviction()
	line := "Last unload: " + e.GetTime().AsTime().Local().Format(time.DateTime) + ", " + unloadReason(e)
	if e.GetDetail() != "" {
		line += ": " + e.GetDetail()
	}
	_, err := fmt.Fprintf(w, "\n%s\n", line)
	return err
}

// writeModels prints a table, and below it failures and notes.
func writeModels(w io.Writer, models []*gatewayv1.Model, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MODEL\tENGINE\tSTATE\tDECLARED\tESTIMATED\tMEASURED\tPEAK\tPRIORITY\tIDLE TIMEOUT\tLAST UNLOAD\tTASKS")
	for _, m := range models {
		mem := m.GetMemory()
		peak := max(mem.GetPeakBytes(), mem.GetLearnedBytes())
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", m.GetName(), m.GetEngine(), state(m),
			size(mem.GetDeclaredBytes()), size(mem.GetEstimatedBytes()), size(mem.GetMeasuredBytes()), size(peak),
			priorityName(m.GetPriority()), formatDuration(m.GetIdleTimeout()), lastUnload(m, now), strings.Join(m.GetTasks(), " "))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, m := range models {
		if f := m.GetFailure(); f != nil {
			reason := strings.TrimPrefix(f.GetReason().String(), "ERROR_REASON_")
			fmt.Fprintf(w, "\n%s failed: %s: %s\n", m.GetName(), reason, f.GetMessage())
			if at := f.GetRetryTime(); at != nil {
				fmt.Fprintf(w, "  The next attempt is possible at %s.\n", at.AsTime().Local().Format(time.TimeOnly))
			}
		}
		if m.GetNote() != "" {
			fmt.Fprintf(w, "\n%s: %s\n", m.GetName(), m.GetNote())
		}
	}
	return nil
}

// lastUnload returns when and why a model was last unloaded, with the date if it
// was not today.
func lastUnload(m *gatewayv1.Model, now time.Time) string {
	e := m.GetLastEviction()
	if e == nil {
		return "-"
	}
	at := e.GetTime().AsTime().Local()
	layout := time.TimeOnly
	if at.Format(time.DateOnly) != now.Local().Format(time.DateOnly) {
		layout = time.DateTime
	}
	return at.Format(layout) + " " + unloadReason(e)
}

func unloadReason(e *gatewayv1.Eviction) string {
	reason := enumName(e.GetReason(), "EVICTION_REASON_")
	if e.GetRequestedBy() != "" {
		reason += " for " + e.GetRequestedBy()
	}
	return reason
}

// watch prints events until the user interrupts it, which is not an error.
func (m modelsCommand) watch(ctx context.Context, g *globals, con *console) error {
	client, err := g.client()
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	stream, err := client.WatchModels(ctx, &gatewayv1.WatchModelsRequest{Name: m.Name})
	if err != nil {
		return err
	}
	for {
		event, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF) || ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case g.JSON:
			err = writeJSONLine(con.out, event)
		default:
			_, err = fmt.Fprintln(con.out, eventLine(event))
		}
		if err != nil {
			return err
		}
	}
}

func eventLine(e *gatewayv1.WatchModelsResponse) string {
	change := stateName(e.GetToState())
	if e.GetFromState() != gatewayv1.ModelState_MODEL_STATE_UNSPECIFIED {
		change = stateName(e.GetFromState()) + " → " + change
	}
	line := fmt.Sprintf("%s  %-12s %s", e.GetTime().AsTime().Local().Format("15:04:05.000"), e.GetName(), change)
	if e.GetChargedBytes() > 0 {
		line += "  " + size(e.GetChargedBytes())
	}
	if e.GetDetail() != "" {
		line += "  " + e.GetDetail()
	}
	if e.GetDroppedCount() > 0 {
		line += fmt.Sprintf("  (%d events were lost before this one)", e.GetDroppedCount())
	}
	return line
}
